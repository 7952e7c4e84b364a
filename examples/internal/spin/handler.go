package spin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hangup-go/hangup/examples/internal/serve"
	"github.com/hangup-go/hangup/native"
)

// maxMillis bounds what a request may ask for: ten minutes.
const maxMillis = 600_000

// answer says how long C ran, and whether the call had been cancelled when it
// ended: too late, or it would not have been answered with 200.
type answer struct {
	Millis    float64 `json:"ran_ms"`
	Cancelled bool    `json:"cancelled"`
}

// Handler is GET or POST /spin?ms=N: one native call of N milliseconds. It does
// not read the request's body, unless with read=1: then a second goroutine reads
// it to its end while C runs, and a body that breaks off stops the call.
func Handler(trace serve.Trace) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if serve.NotAllowed(w, r, http.MethodGet, http.MethodPost) {
			return
		}
		d, read, err := parameters(r)
		if err != nil {
			serve.Error(w, http.StatusBadRequest, err.Error())
			return
		}
		a, err := run(w, r, d, read, trace)
		var stopped *native.Error
		switch {
		case err == nil:
			serve.JSON(w, http.StatusOK, a)
		case errors.As(err, &stopped):
			serve.Stopped(w, r, err)
		default:
			serve.Error(w, http.StatusInternalServerError, err.Error())
		}
	})
}

func parameters(r *http.Request) (d time.Duration, read bool, err error) {
	q := r.URL.Query()
	n, err := strconv.Atoi(q.Get("ms"))
	if err != nil || n < 0 || n > maxMillis {
		return 0, false, fmt.Errorf("ms must be a number from 0 to %d", maxMillis)
	}
	switch q.Get("read") {
	case "", "0":
	case "1":
		read = true
	default:
		return 0, false, errors.New("read must be 0 or 1")
	}
	return time.Duration(n) * time.Millisecond, read, nil
}

func run(w http.ResponseWriter, r *http.Request, d time.Duration, read bool, trace serve.Trace) (answer, error) {
	ctx := r.Context()
	if read {
		var join func()
		ctx, join = readBody(w, r)
		defer join()
	}
	return native.Do(ctx, func(c *native.Call) (answer, error) {
		trace.Enter(r)
		ran, err := Spin(c.Flag(), d)
		trace.Return(r, err)
		return answer{float64(ran.Microseconds()) / 1000, c.Cancelled()}, err
	})
}
