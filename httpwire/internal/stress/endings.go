package stress

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/hangup-go/hangup/httpwire"
)

// An ending is one way in which requests end normally.
type ending struct {
	name    string
	method  string
	proto   httpwire.Protocol // 0: all
	rare    int               // if positive, one in so many of the others: it takes time
	body    int64             // of a POST; 0: random
	close   bool              // Connection: close
	timeout bool              // under http.TimeoutHandler
	serve   http.HandlerFunc
}

var endings = []ending{
	{name: "GET", method: "GET", serve: small},
	{name: "close", method: "GET", close: true, rare: 16, serve: small},
	{name: "GET flushed", method: "GET", rare: 2, serve: flushed},
	{name: "POST read", method: "POST", serve: readAll},
	{name: "POST half read", method: "POST", serve: readHalf},
	{name: "POST unread", method: "POST", serve: small},
	{name: "POST over the limit", method: "POST", rare: 16, body: 500, serve: limited},
	{name: "HEAD", method: "HEAD", serve: small},
	{name: "HEAD flushed", method: "HEAD", serve: headFlushed},
	{name: "204", method: "GET", serve: status(http.StatusNoContent)},
	{name: "304", method: "GET", serve: status(http.StatusNotModified)},
	{name: "abort", method: "GET", rare: 16, serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{name: "abort begun", method: "GET", rare: 32, serve: func(w http.ResponseWriter, r *http.Request) {
		flushed(w, r)
		panic(http.ErrAbortHandler)
	}},
	{name: "panic", method: "GET", rare: 32, serve: func(http.ResponseWriter, *http.Request) { panic("boom") }},
	{name: "read deadline passed", method: "POST", rare: 32, serve: readDeadline(-time.Second)},
	{name: "read deadline", method: "POST", rare: 64, serve: readDeadline(time.Millisecond)},
	{name: "write deadline passed", method: "GET", rare: 32, serve: writeDeadline(-time.Second)},
	{name: "write deadline", method: "GET", rare: 64, serve: writeDeadline(time.Millisecond)},
	{name: "TimeoutHandler", method: "GET", rare: 16, timeout: true},
	{name: "hijack", method: "GET", rare: 32, proto: httpwire.HTTP1, serve: hijack},
	{name: "wait", method: "GET", rare: 16, serve: wait(2 * time.Millisecond)},
	{name: "wait long", method: "GET", rare: 1000, serve: wait(2 * ShortLimit)},
	{name: "complete, then works on", method: "GET", serve: completeFlushed},
	{name: "complete, then works on, close", method: "GET", rare: 16, close: true, serve: completeFlushed},
	{name: "complete unflushed, then works on", method: "GET", rare: 16, close: true, serve: completeUnflushed},
}

// ShortLimit is the ReadTimeout or WriteTimeout of servers that have one.
const ShortLimit = 300 * time.Millisecond

func small(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") }

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func flushed(w http.ResponseWriter, _ *http.Request) {
	for range 4 {
		_, _ = w.Write(make([]byte, 3000))
		flush(w)
	}
}

func headFlushed(w http.ResponseWriter, r *http.Request) {
	flush(w)
	<-time.After(10 * time.Microsecond)
	_ = r.Context().Err()
}

func readAll(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	small(w, r)
}

func readHalf(w http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, 300)
	small(w, r)
}

func limited(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 100)); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// A read deadline may end the standard context; the answer goes out all the same.
func readDeadline(after time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(after))
		if after > 0 {
			<-time.After(2 * after)
		}
		readHalf(w, r)
	}
}

func writeDeadline(after time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(after))
		if after > 0 {
			<-time.After(2 * after)
		}
		flushed(w, r)
	}
}

// hijack answers without a length: the client waits for our close.
func hijack(w http.ResponseWriter, r *http.Request) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		small(w, r)
		return
	}
	_, _ = rw.WriteString("HTTP/1.0 200 OK\r\n\r\ndone")
	_ = rw.Flush()
	_ = c.Close()
}

// wait waits for the end of the context, which a server's end may be, but not long.
func wait(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
		case <-timer.C:
		}
		small(w, r)
	}
}

const long = 3<<15 + 20_000

// The client has all of it, and may leave, while the handler works on.
func completeFlushed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "5")
	_, _ = io.WriteString(w, "hello")
	flush(w)
	workOn()
}

func completeUnflushed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(long))
	_, _ = w.Write(make([]byte, long))
	workOn()
}

func workOn() {
	for range 20 {
		runtime.Gosched()
	}
}
