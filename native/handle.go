package native

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
)

// ErrHandleClosed is matched by the error of using a [Handle] that has been closed.
// httpwire.Status makes a 503 of it.
var ErrHandleClosed error = &unavailableError{"native: handle closed"}

// A Handle is a native object shared by calls: a model, a database connection, a
// solver. Calls hold it by lease, and it is freed once it is closed and no lease is
// left: never while a call or one of its callbacks uses it (N10).
//
//	model := native.NewHandle(C.load_model(path), func(m *C.model) { C.free_model(m) })
//
//	native.DoIn(ctx, &gpu, func(c *native.Call) (string, error) {
//		m, err := model.Use(c)
//		if err != nil {
//			return "", err
//		}
//		...
//	})
//
//	model.Retire() // those that use it finish; no one else begins
//
// Its methods may be called from any goroutine.
//
// One word counts: leases << 1 | closed. Nobody takes a lease once closed is set,
// so the word is closed and nothing else exactly once, and whoever brings it there
// frees: the end of the last lease, or the closer if there is none.
type Handle[T any] struct {
	word  atomic.Int64
	value T
	free  func(T)
	freed chan struct{}

	end  func(late bool) // ends a lease; kept, so that Use allocates none
	made string          // where: a handle has no other name
	leak runtime.Cleanup
}

const (
	handleClosed int64 = 1
	lease        int64 = 2
)

// NewHandle returns a handle for v, which it owns from now on: free is called once,
// with v, on the goroutine that closes the handle or, if it is used then, on that of the
// last call that used it, or that released what Acquire gave. A panic of free's goes there too.
// If free is nil, nothing is called.
//
// A handle that is collected without having been closed is a leak. It is logged
// with the place where it was made, and not freed, as nobody knows what C still does.
func NewHandle[T any](v T, free func(T)) *Handle[T] {
	h := &Handle[T]{value: v, free: free, freed: make(chan struct{}), made: "somewhere"}
	if _, file, line, ok := runtime.Caller(1); ok {
		h.made = fmt.Sprintf("%s:%d", file, line)
	}
	h.end = func(bool) { h.release() }
	h.leak = runtime.AddCleanup(h, reportLeak, h.made)
	return h
}

func reportLeak(made string) {
	standard.logf("native: the handle made at %s was never closed", made)
}

// Use leases the handle to call c and returns its value. The lease ends when c is really
// over: its function has returned, also long after Do has abandoned it, its callbacks
// have ended, and the clean-ups registered since have run. Nothing needs to be given
// back.
//
// On a closed handle it returns an error that matches [ErrHandleClosed]. It is no
// panic, as a call can't know that another goroutine closes what they share.
func (h *Handle[T]) Use(c *Call) (T, error) {
	if err := h.take(); err != nil {
		var zero T
		return zero, err
	}
	defer func() {
		if h != nil { // c was over, Cleanup panics
			h.release()
		}
	}()
	c.Cleanup(h.end)
	v := h.value
	h = nil
	return v, nil
}

// Acquire is Use for code outside a call. The lease ends when release is called,
// once or more often. On a closed handle release is nil.
func (h *Handle[T]) Acquire() (v T, release func(), err error) {
	if err := h.take(); err != nil {
		return v, nil, err
	}
	var over atomic.Bool
	return h.value, func() {
		if over.CompareAndSwap(false, true) {
			h.release()
		}
	}, nil
}

func (h *Handle[T]) take() error {
	for {
		w := h.word.Load()
		if w&handleClosed != 0 {
			return fmt.Errorf("%w: made at %s", ErrHandleClosed, h.made)
		}
		if h.word.CompareAndSwap(w, w+lease) {
			return nil
		}
	}
}

func (h *Handle[T]) release() {
	if h.word.Add(-lease) == handleClosed {
		h.dispose()
	}
}

// dispose frees the value. Whoever is here is alone, see Handle.
func (h *Handle[T]) dispose() {
	h.leak.Stop()
	defer close(h.freed) // after a panic too: it reaches who waits for the last call
	if h.free != nil {
		h.free(h.value)
	}
}

// Retire closes the handle and does not wait: no lease begins any more, and the value is
// freed when the last one ends, here if there is none.
func (h *Handle[T]) Retire() {
	if h.word.Or(handleClosed) == 0 {
		h.dispose()
	}
}

// Close is Retire, and waits until the value has been freed or ctx is done; then the
// error says how many leases are left, and matches ctx's cause. They end as they would have
// ended, the last one frees. Close may be called more than once. Called from a call that
// holds a lease, it waits for itself.
func (h *Handle[T]) Close(ctx context.Context) error {
	h.Retire()
	select {
	case <-h.freed:
		return nil
	default:
	}
	select {
	case <-h.freed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("native: handle made at %s: %d leases left: %w", h.made, h.word.Load()/lease, context.Cause(ctx))
	}
}
