package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/hangup-go/hangup/examples/internal/demo"
)

const (
	quickSQL = `SELECT city, count(*), round(sum(quantity * price), 2) FROM customers c
		JOIN orders o ON o.customer_id = c.id JOIN items i ON i.order_id = o.id WHERE c.id <= 50 GROUP BY city`
	endlessSQL = `SELECT count(*) FROM items a, items b WHERE a.price * a.quantity < b.price` // 3.6 thousand million pairs
)

// runDemo serves on free ports, drives the server, and prints the table. The
// error says what the table shows to be wrong.
func runDemo(o *options, stdout, stderr io.Writer) error {
	o.serve.Addr, o.serve.TLSAddr = "127.0.0.1:0", "127.0.0.1:0"
	events := demo.NewEvents()
	i, err := open(o, events.Trace(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Fprint(stderr, i.Sockets)
	i.Start()
	reports, err := demo.Drive(demo.Target{
		Sockets: i.Sockets, Quick: queryPath(quickSQL), Endless: queryPath(endlessSQL), Events: events,
	}, o.size, stderr)
	// The reports are complete when every handler has returned.
	if err := errors.Join(err, i.drain(0)); err != nil {
		return err
	}
	if err := demo.Table(stdout, reports); err != nil {
		return err
	}
	return demo.Check(reports)
}

func queryPath(sql string) string { return "/query?sql=" + url.QueryEscape(sql) }
