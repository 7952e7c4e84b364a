//go:build cgo

package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/examples/internal/client"
	"github.com/hangup-go/hangup/examples/internal/servetest"
)

// The main job, over every protocol: SQL in, rows out.
func TestQuery_rows(t *testing.T) {
	f := start(t)
	for _, p := range servetest.EveryProtocol {
		t.Run(p.Name, func(t *testing.T) {
			c := f.Dial(t, p)
			sql := `SELECT NULL AS n, 9007199254740993 AS i, 1.5 AS f, 'tëxt' AS t, x'00ff' AS b, 9e999 AS inf, -9e999`
			const want = `"columns":["n","i","f","t","b","inf","-9e999"],"rows":[[null,9007199254740993,1.5,"tëxt","AP8=","Infinity","-Infinity"]],"truncated":false,"ms":`
			for _, e := range []servetest.Exchange{
				c.Must("POST", "/query", sql),
				c.Must("GET", "/query?sql="+url.QueryEscape(sql), ""),
				c.Must("POST", "/query?sql="+url.QueryEscape(sql), "a body that nobody reads"),
			} {
				if e.Status != 200 || !strings.Contains(e.Body, want) || e.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%d %v %s\nwant %s", e.Status, e.Header, e.Body, want)
				}
			}
			if e := c.Must("POST", "/query", "SELECT count(*), sum(price) > 0 FROM items"); !strings.Contains(e.Body, `[[60000,1]]`) {
				t.Errorf("the generated tables: %s", e.Body)
			}
		})
	}
}

func TestQuery_noRows(t *testing.T) {
	c := start(t).Dial(t, client.HTTP1)
	if e := c.Must("POST", "/query", "SELECT id FROM items WHERE 0"); e.Status != 200 || !strings.Contains(e.Body, `"columns":["id"],"rows":[],`) {
		t.Errorf("%d %s", e.Status, e.Body)
	}
}

func TestQuery_truncated(t *testing.T) {
	c := start(t, "-max-rows", "3").Dial(t, client.HTTP1)
	for limit, want := range map[string]string{"3": `"rows":[[1],[2],[3]],"truncated":false`, "4": `"rows":[[1],[2],[3]],"truncated":true`} {
		if e := c.Must("POST", "/query", "SELECT id FROM orders ORDER BY id LIMIT "+limit); !strings.Contains(e.Body, want) {
			t.Errorf("limit %s: %s, want %s", limit, e.Body, want)
		}
	}
	if e := c.Must("POST", "/query", "SELECT zeroblob(1000000) FROM items LIMIT 100"); !strings.Contains(e.Body, `"truncated":true`) {
		t.Error("100 MB of blobs were not truncated")
	}
}

func TestRequests_refused(t *testing.T) {
	c := start(t).Dial(t, client.HTTP1)
	for _, r := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"POST", "/query", "SELEC 1", 400, `near "SELEC": syntax error`},
		{"POST", "/query", "SELECT * FROM nowhere", 400, "no such table: nowhere"},
		{"POST", "/query", "DROP TABLE items", 400, "not authorized"},
		{"POST", "/query", "SELECT abs(-9223372036854775808)", 400, "integer overflow"}, // found while it runs
		{"POST", "/query", "", 400, "no SQL statement"},
		{"POST", "/query", " \n", 400, "no SQL statement"},
		{"POST", "/query", "-- nothing", 400, "no SQL statement"},
		{"GET", "/query", "", 400, "no SQL statement"},
		{"POST", "/query?sql=", "SELECT 1", 400, "no SQL statement"},
		{"POST", "/query", strings.Repeat(" ", maxSQL) + "SELECT 1", 413, "longer than 1048576 bytes"},
		{"PUT", "/query", "SELECT 1", 405, "GET, POST"},
		{"DELETE", "/spin?ms=1", "", 405, "GET, POST"},
		{"GET", "/spin", "", 400, "ms must be"},
		{"GET", "/spin?ms=x", "", 400, "ms must be"},
		{"GET", "/spin?ms=-1", "", 400, "ms must be"},
		{"GET", "/spin?ms=600001", "", 400, "ms must be"},
		{"GET", "/spin?ms=99999999999999999999", "", 400, "ms must be"},
		{"GET", "/spin?ms=1&read=2", "", 400, "read must be"},
		{"POST", "/debug/calls", "", 405, "GET"},
		{"POST", "/healthz", "", 405, "GET, HEAD"},
	} {
		e := c.Must(r.method, r.path, r.body)
		var answer struct{ Error string }
		if err := json.Unmarshal([]byte(e.Body), &answer); err != nil {
			t.Errorf("%s %s: %v: %s", r.method, r.path, err, e.Body)
		}
		if e.Status != r.status || !strings.Contains(answer.Error, r.message) {
			t.Errorf("%s %s %.40q: %d %s, want %d with %q", r.method, r.path, r.body, e.Status, e.Body, r.status, r.message)
		}
		if r.status == 405 && e.Header.Get("Allow") != r.message {
			t.Errorf("%s %s: Allow %q", r.method, r.path, e.Header.Get("Allow"))
		}
	}
	if e := c.Must("GET", "/elsewhere", ""); e.Status != 404 {
		t.Errorf("/elsewhere: %d", e.Status)
	}
}

func TestHealthz(t *testing.T) {
	f := start(t)
	_, port, err := net.SplitHostPort(f.Secure.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range servetest.EveryProtocol {
		e := f.Dial(t, p).Must("GET", "/healthz", "")
		if e.Status != 200 || e.Body != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: %d %s", p.Name, e.Status, e.Body)
		}
		// HTTP/3 is announced where it can be: over TLS, by what is not HTTP/3 yet.
		announced := strings.HasPrefix(e.Header.Get("Alt-Svc"), `h3=":`+port+`"`)
		if want := p.Name == client.HTTP1TLS.Name || p.Name == client.HTTP2.Name; announced != want {
			t.Errorf("%s: Alt-Svc %q", p.Name, e.Header.Get("Alt-Svc"))
		}
	}
}

func TestSpin_answers(t *testing.T) {
	f := start(t)
	for _, p := range servetest.EveryProtocol {
		c := f.Dial(t, p)
		for _, path := range []string{"/spin?ms=20", "/spin?ms=20&read=1"} {
			e := c.Must(http.MethodPost, path, "a body")
			var a struct {
				Millis    float64 `json:"ran_ms"`
				Cancelled bool    `json:"cancelled"`
			}
			if err := json.Unmarshal([]byte(e.Body), &a); err != nil || e.Status != 200 || a.Millis < 20 || a.Cancelled {
				t.Errorf("%s %s: %d %s", p.Name, path, e.Status, e.Body)
			}
		}
	}
	if n := f.Calls(); n.CallbacksFired != 0 || servetest.Total(n.Disconnects) != 0 || n.Running != 0 {
		t.Errorf("after normal completions: %+v", n)
	}
}
