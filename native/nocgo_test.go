//go:build !cgo

package native_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
)

// Without cgo nothing is called, and the error says why, whatever the context.
func TestNoCgo(t *testing.T) {
	var tok cancel.Token
	defer tok.Close()
	plain, stop := context.WithCancel(t.Context())
	defer stop()
	pool := native.Pool{Size: 1}
	for name, ctx := range map[string]context.Context{
		"request": cancel.NewContext(t.Context(), &tok), "plain": plain, "background": context.Background(),
		"traced": native.WithTrace(plain, new(native.Trace)),
	} {
		fn := func(*native.Call) (int, error) { t.Errorf("%s: called", name); return 0, nil }
		_, do := native.Do(ctx, fn)
		_, in := native.DoIn(ctx, &pool, fn)
		_, inline := native.Inline(ctx, fn)
		for _, err := range []error{do, in, inline} {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := pool.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
