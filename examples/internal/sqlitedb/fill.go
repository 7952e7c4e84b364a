package sqlitedb

import (
	"context"
	"database/sql/driver"
	"math/rand/v2"

	sqlite3 "github.com/mattn/go-sqlite3"
)

const schema = `
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL, note TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers, day TEXT NOT NULL, paid INTEGER NOT NULL);
CREATE TABLE items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, product TEXT NOT NULL, quantity INTEGER NOT NULL, price REAL NOT NULL, serial BLOB NOT NULL);
`

// Indexes come after the rows: filling is twice as fast.
const indexes = `
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX items_order ON items (order_id);
ANALYZE;
`

// How many rows there are.
const (
	Customers = 5_000
	Orders    = 20_000
	Items     = 60_000
)

var (
	firstNames = []string{"Ada", "Alan", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Ken", "Leslie", "Tony"}
	lastNames  = []string{"Allen", "Dijkstra", "Hamilton", "Hoare", "Hopper", "Lamport", "Liskov", "Ritchie", "Thompson", "Turing"}
	cities     = []string{"Bergen", "Graz", "Kyoto", "Lima", "Nairobi", "Oulu", "Porto", "Quito"}
	products   = []string{"anvil", "bolt", "cog", "drill", "file", "gauge", "hinge", "lathe", "nail", "pulley"}
)

// fill makes the tables of a small shop, in one transaction.
func fill(c *sqlite3.SQLiteConn, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, seed))
	if _, err := c.Exec("BEGIN;"+schema, nil); err != nil {
		return err
	}
	for _, t := range []struct {
		insert string
		rows   int
		row    func(id int64) []driver.Value
	}{
		{"INSERT INTO customers VALUES (?, ?, ?, ?)", Customers, func(id int64) []driver.Value { return customer(r, id) }},
		{"INSERT INTO orders VALUES (?, ?, ?, ?)", Orders, func(id int64) []driver.Value { return order(r, id) }},
		{"INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", Items, func(id int64) []driver.Value { return item(r, id) }},
	} {
		if err := insert(c, t.insert, t.rows, t.row); err != nil {
			return err
		}
	}
	_, err := c.Exec(indexes+"COMMIT;", nil)
	return err
}

func insert(c *sqlite3.SQLiteConn, sql string, rows int, row func(id int64) []driver.Value) error {
	stmt, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for id := range int64(rows) {
		if _, err := stmt.(driver.StmtExecContext).ExecContext(context.Background(), named(row(id+1))); err != nil {
			return err
		}
	}
	return nil
}

func named(row []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(row))
	for i, v := range row {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func customer(r *rand.Rand, id int64) []driver.Value {
	var note driver.Value // three in four have none
	if r.IntN(4) == 0 {
		note = "likes " + pick(r, products) + "s"
	}
	return []driver.Value{id, pick(r, firstNames) + " " + pick(r, lastNames), pick(r, cities), note}
}

func order(r *rand.Rand, id int64) []driver.Value {
	day := []byte("2026-00-00")
	put := func(at, n int) { day[at], day[at+1] = byte('0'+n/10), byte('0'+n%10) }
	put(5, 1+r.IntN(12))
	put(8, 1+r.IntN(28))
	return []driver.Value{id, 1 + r.Int64N(Customers), string(day), int64(r.IntN(2))}
}

func item(r *rand.Rand, id int64) []driver.Value {
	serial := make([]byte, 6)
	for i := range serial {
		serial[i] = byte(r.Uint32())
	}
	price := float64(1+r.IntN(20_000)) / 100
	return []driver.Value{id, 1 + r.Int64N(Orders), pick(r, products), 1 + r.Int64N(9), price, serial}
}
