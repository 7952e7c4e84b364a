package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hangup-go/hangup/examples/internal/client"
)

// The main job, over every protocol: SQL in, rows out.
func TestQuery_rows(t *testing.T) {
	f := start(t)
	for _, p := range everyProtocol {
		t.Run(p.Name, func(t *testing.T) {
			c := f.dial(t, p)
			sql := `SELECT NULL AS n, 9007199254740993 AS i, 1.5 AS f, 'tëxt' AS t, x'00ff' AS b, 9e999 AS inf, -9e999`
			const want = `"columns":["n","i","f","t","b","inf","-9e999"],"rows":[[null,9007199254740993,1.5,"tëxt","AP8=","Infinity","-Infinity"]],"truncated":false,"ms":`
			for _, e := range []exchange{
				c.must("POST", "/query", sql),
				c.must("GET", "/query?sql="+url.QueryEscape(sql), ""),
				c.must("POST", "/query?sql="+url.QueryEscape(sql), "a body that nobody reads"),
			} {
				if e.status != 200 || !strings.Contains(e.body, want) || e.header.Get("Content-Type") != "application/json" {
					t.Errorf("%d %v %s\nwant %s", e.status, e.header, e.body, want)
				}
			}
			if e := c.must("POST", "/query", "SELECT count(*), sum(price) > 0 FROM items"); !strings.Contains(e.body, `[[60000,1]]`) {
				t.Errorf("the generated tables: %s", e.body)
			}
		})
	}
}

func TestQuery_noRows(t *testing.T) {
	c := start(t).dial(t, client.HTTP1)
	if e := c.must("POST", "/query", "SELECT id FROM items WHERE 0"); e.status != 200 || !strings.Contains(e.body, `"columns":["id"],"rows":[],`) {
		t.Errorf("%d %s", e.status, e.body)
	}
}

func TestQuery_truncated(t *testing.T) {
	c := start(t, "-max-rows", "3").dial(t, client.HTTP1)
	for limit, want := range map[string]string{"3": `"rows":[[1],[2],[3]],"truncated":false`, "4": `"rows":[[1],[2],[3]],"truncated":true`} {
		if e := c.must("POST", "/query", "SELECT id FROM orders ORDER BY id LIMIT "+limit); !strings.Contains(e.body, want) {
			t.Errorf("limit %s: %s, want %s", limit, e.body, want)
		}
	}
	if e := c.must("POST", "/query", "SELECT zeroblob(1000000) FROM items LIMIT 100"); !strings.Contains(e.body, `"truncated":true`) {
		t.Error("100 MB of blobs were not truncated")
	}
}

func TestRequests_refused(t *testing.T) {
	c := start(t).dial(t, client.HTTP1)
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
		e := c.must(r.method, r.path, r.body)
		var answer struct{ Error string }
		if err := json.Unmarshal([]byte(e.body), &answer); err != nil {
			t.Errorf("%s %s: %v: %s", r.method, r.path, err, e.body)
		}
		if e.status != r.status || !strings.Contains(answer.Error, r.message) {
			t.Errorf("%s %s %.40q: %d %s, want %d with %q", r.method, r.path, r.body, e.status, e.body, r.status, r.message)
		}
		if r.status == 405 && e.header.Get("Allow") != r.message {
			t.Errorf("%s %s: Allow %q", r.method, r.path, e.header.Get("Allow"))
		}
	}
	if e := c.must("GET", "/elsewhere", ""); e.status != 404 {
		t.Errorf("/elsewhere: %d", e.status)
	}
}

func TestHealthz(t *testing.T) {
	f := start(t)
	_, port, err := net.SplitHostPort(f.Secure.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range everyProtocol {
		e := f.dial(t, p).must("GET", "/healthz", "")
		if e.status != 200 || e.body != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: %d %s", p.Name, e.status, e.body)
		}
		// HTTP/3 is announced where it can be: over TLS, by what is not HTTP/3 yet.
		announced := strings.HasPrefix(e.header.Get("Alt-Svc"), `h3=":`+port+`"`)
		if want := p.Name == client.HTTP1TLS.Name || p.Name == client.HTTP2.Name; announced != want {
			t.Errorf("%s: Alt-Svc %q", p.Name, e.header.Get("Alt-Svc"))
		}
	}
}

func TestSpin_answers(t *testing.T) {
	f := start(t)
	for _, p := range everyProtocol {
		c := f.dial(t, p)
		for _, path := range []string{"/spin?ms=20", "/spin?ms=20&read=1"} {
			e := c.must(http.MethodPost, path, "a body")
			var a struct {
				Millis    float64 `json:"ran_ms"`
				Cancelled bool    `json:"cancelled"`
			}
			if err := json.Unmarshal([]byte(e.body), &a); err != nil || e.status != 200 || a.Millis < 20 || a.Cancelled {
				t.Errorf("%s %s: %d %s", p.Name, path, e.status, e.body)
			}
		}
	}
	if n := f.Calls(); n.CallbacksFired != 0 || total(n.Disconnects) != 0 || n.Running != 0 {
		t.Errorf("after normal completions: %+v", n)
	}
}
