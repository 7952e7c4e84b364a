//go:build cgo

package native_test

import (
	"context"
	"runtime"
	"testing"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// Every row makes the same C call, which reads its flag once and returns. The
// rows to compare: the raw call; ours; what people write today.

// pooledFlag is a flag somebody else recycles: the rivals get theirs for free.
func pooledFlag(b *testing.B) unsafe.Pointer {
	t := new(cancel.Token)
	b.Cleanup(t.Close)
	return t.Flag().Pointer()
}

// requestContext is a context like those of httpwire: governed by a token.
func requestContext(b *testing.B) context.Context {
	t := new(cancel.Token)
	b.Cleanup(t.Close)
	return cancel.NewContext(b.Context(), t)
}

func read(c *native.Call) (uint64, error) { return nativetest.Read(c.Flag().Pointer()), nil }

func readWithCallback(c *native.Call) (uint64, error) {
	c.OnCancel(ignore)
	return nativetest.Read(c.Flag().Pointer()), nil
}

func ignore(error) {}

func BenchmarkCall(b *testing.B) {
	plain := func(b *testing.B) context.Context {
		ctx, stop := context.WithCancel(context.Background())
		b.Cleanup(stop)
		return ctx
	}
	call := func(do func(context.Context, func(*native.Call) (uint64, error)) (uint64, error),
		ctx func(*testing.B) context.Context, fn func(*native.Call) (uint64, error)) func(*testing.B) {
		return func(b *testing.B) {
			for range 10 { // the row before may have been traced
				if native.Traces() != 0 {
					runtime.GC()
				}
			}
			ctx := ctx(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := do(ctx, fn); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	requestTraced := func(b *testing.B) context.Context {
		return native.WithTrace(requestContext(b), &native.Trace{Done: func(native.Receipt) {}})
	}
	requestBeside := func(b *testing.B) context.Context { // others are traced
		other := native.WithTrace(context.Background(), new(native.Trace))
		b.Cleanup(func() { runtime.KeepAlive(other) })
		return requestContext(b)
	}
	b.Run("raw", func(b *testing.B) {
		p := pooledFlag(b)
		b.ReportAllocs()
		for b.Loop() {
			nativetest.Read(p)
		}
	})
	b.Run("Inline/request", call(native.Inline[uint64], requestContext, read))
	b.Run("Inline/request+callback", call(native.Inline[uint64], requestContext, readWithCallback))
	b.Run("Inline/any", call(native.Inline[uint64], plain, read))
	b.Run("Do/request", call(native.Do[uint64], requestContext, read))
	b.Run("Do/request+callback", call(native.Do[uint64], requestContext, readWithCallback))
	b.Run("Do/any", call(native.Do[uint64], plain, read))
	b.Run("Inline/beside a trace", call(native.Inline[uint64], requestBeside, read))
	b.Run("Inline/traced", call(native.Inline[uint64], requestTraced, read))
	b.Run("Do/beside a trace", call(native.Do[uint64], requestBeside, read))
	b.Run("Do/traced", call(native.Do[uint64], requestTraced, read))
	b.Run("rival/goroutine+select", func(b *testing.B) { benchmarkSelect(b, plain(b)) })
	b.Run("rival/watcher", func(b *testing.B) { benchmarkWatcher(b, plain(b)) })
	b.Run("rival/AfterFunc", func(b *testing.B) { benchmarkAfterFunc(b, plain(b)) })
}

// benchmarkSelect is the pattern that abandons: the caller leaves, C goes on.
func benchmarkSelect(b *testing.B, ctx context.Context) {
	p := pooledFlag(b)
	b.ReportAllocs()
	for b.Loop() {
		ch := make(chan uint64, 1)
		go func() { ch <- nativetest.Read(p) }()
		select {
		case <-ch:
		case <-ctx.Done():
		}
	}
}

// benchmarkWatcher is the pattern of database drivers: a goroutine waits for the
// context and interrupts; it is told of the end and joined.
func benchmarkWatcher(b *testing.B, ctx context.Context) {
	p := pooledFlag(b)
	b.ReportAllocs()
	for b.Loop() {
		done, left := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(left)
			select {
			case <-ctx.Done():
			case <-done:
			}
		}()
		nativetest.Read(p)
		close(done)
		<-left
	}
}

// benchmarkAfterFunc is the pattern of newer drivers, joined when it has begun.
func benchmarkAfterFunc(b *testing.B, ctx context.Context) {
	p := pooledFlag(b)
	b.ReportAllocs()
	for b.Loop() {
		left := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { close(left) })
		nativetest.Read(p)
		if !stop() {
			<-left
		}
	}
}
