package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/bench/internal/engine"
	"github.com/hangup-go/hangup/bench/internal/protocol"
	"github.com/hangup-go/hangup/bench/internal/server"
	"github.com/hangup-go/hangup/native"
)

// ErrDescriptors says that the process may not open as many files as the load takes.
var ErrDescriptors = errors.New("too few file descriptors")

// inFlight has so many requests in native calls, on a configured server of its own, that sleep: inside of them
// in C, and the others in line.
func inFlight(calls, inside int) func(context.Context, Host) (func(), error) {
	return func(ctx context.Context, h Host) (stop func(), err error) {
		if err := enough(calls + 1000); err != nil {
			return nil, err
		}
		var began, ended atomic.Int64
		pool := &native.Pool{Name: "in flight", Size: inside}
		s, err := server.New(server.Config{Configured: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			began.Add(1)
			defer ended.Add(1)
			_, _ = native.DoIn(r.Context(), pool, func(c *native.Call) (bool, error) {
				return engine.Wait(c.Flag().Pointer(), time.Hour, new(engine.Marks)), nil
			})
		})})
		if err != nil {
			return nil, err
		}
		release, err := h.Hold(s.Addr(protocol.HTTP1), calls)
		stop = func() {
			if release != nil {
				_ = release()
			}
			_ = pool.Close(context.Background())
			_ = s.Close()
		}
		for err == nil && began.Load() < int64(calls) {
			select {
			case <-ctx.Done():
				err = context.Cause(ctx)
			case <-time.After(10 * time.Millisecond):
			}
		}
		if err != nil {
			stop()
			return nil, err
		}
		return stop, nil
	}
}

// enough says if fewer than n files may be open. Go has raised its limit as far as it goes.
func enough(n int) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur < uint64(n) {
		return fmt.Errorf("%w: %d may be open, %d are needed (ulimit -n)", ErrDescriptors, l.Cur, n)
	}
	return nil
}
