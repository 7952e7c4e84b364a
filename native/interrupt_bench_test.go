//go:build cgo && linux

package native_test

import (
	"testing"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// The cost of a section, beside the same call without one.
func BenchmarkInterruptible(b *testing.B) {
	ctx := requestContext(b)
	p := pooledFlag(b)
	nop := func() error { nativetest.Read(p); return nil }
	for name, call := range map[string]func(c *native.Call) (uint64, error){
		"without": func(c *native.Call) (uint64, error) { return 0, nop() },
		"with":    func(c *native.Call) (uint64, error) { return 0, c.Interruptible(nop) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := native.Inline(ctx, call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
