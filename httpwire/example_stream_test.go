package httpwire_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/hangup-go/hangup/httpwire"
)

// A handler that produces as it goes stops when its client leaves: while it
// waits for the next token, and while it sends.
func ExampleNewEventStream() {
	tokens := make(chan string, 2)
	tokens <- "Hello,"
	tokens <- "world\nof events"
	close(tokens)
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := httpwire.NewEventStream(w, r, nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for {
			select {
			case tok, ok := <-tokens:
				if !ok || s.Emit(httpwire.Event{Data: tok}) != nil {
					return // the end, or the client has left
				}
			case <-s.Done():
				return
			}
		}
	}
	rec := httptest.NewRecorder()
	handler(rec, httptest.NewRequest("GET", "/", nil))
	fmt.Print(rec.Body)
	// Output:
	// data: Hello,
	//
	// data: world
	// data: of events
}

// Rows as a source yields them, each on a line of its own.
func ExampleStream_Pump() {
	type row struct{ N, Square int }
	squares := func(yield func(row, error) bool) {
		for n := range 3 {
			if !yield(row{n, n * n}, nil) {
				return
			}
		}
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := httpwire.NewNDJSON[row](w, r, nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = s.Pump(squares) // its error says how it ended
	}
	rec := httptest.NewRecorder()
	handler(rec, httptest.NewRequest("GET", "/", nil))
	fmt.Print(rec.Body)
	// Output:
	// {"N":0,"Square":0}
	// {"N":1,"Square":1}
	// {"N":2,"Square":4}
}
