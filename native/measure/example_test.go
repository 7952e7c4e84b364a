//go:build cgo

package measure_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/measure"
	"github.com/hangup-go/hangup/native/nativetest"
)

// How long does a library take to stop that looks at its flag once in 2 ms? Here a fixture stands for it.
func ExampleCancel() {
	d, err := measure.Cancel(context.Background(), measure.Call{N: 50, Run: func(ctx context.Context) error {
		_, err := native.Do(ctx, func(c *native.Call) (int, error) {
			return 0, nativetest.Slow(c.Flag().Pointer(), 2*time.Millisecond, time.Minute, nil)
		})
		return err
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.N(), "cancels timed; at the quickest within one look:", d.Quantile(0) < 3*time.Millisecond)
	// Output: 50 cancels timed; at the quickest within one look: true
}
