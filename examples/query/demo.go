//go:build cgo

package main

import (
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
	return demo.Run(i.Server, i.drain, demo.Target{
		Events:  events,
		Quick:   demo.Request{Method: "GET", Path: queryPath(quickSQL)},
		Endless: []demo.Case{{Request: demo.Request{Method: "GET", Path: queryPath(endlessSQL)}}},
	}, o.demo.Size, stdout, stderr)
}

func queryPath(sql string) string { return "/query?sql=" + url.QueryEscape(sql) }
