//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// Four calls at a time on the engine, sixty-four that wait, and an answer to
// those beyond.
func ExamplePool() {
	gpu := native.Pool{Name: "gpu", Size: 4, Queue: 64}
	v, err := native.DoIn(context.Background(), &gpu, func(c *native.Call) (uint64, error) {
		return nativetest.Read(c.Flag().Pointer()), nil // the engine's call
	})
	if errors.Is(err, native.ErrPoolFull) {
		fmt.Println("503 Service Unavailable")
		return
	}
	fmt.Println(v, err)

	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	fmt.Println(gpu.Close(ctx)) // drains; after ten seconds it cancels
	// Output:
	// 0 <nil>
	// <nil>
}

// A library that may not listen: the caller leaves a second after the client, and
// what C still uses is freed when C is done with it.
func ExampleCall_AbandonAfter() {
	model := native.NewHandle(nativetest.NewBlock(), nativetest.Block.Free)
	defer model.Close(context.Background())

	ok, err := native.Do(context.Background(), func(c *native.Call) (bool, error) {
		m, err := model.Use(c)
		if err != nil {
			return false, err
		}
		c.AbandonAfter(time.Second)
		c.Cleanup(func(late bool) {
			// Free what the library and the callbacks use; if late, the result too.
		})
		return nativetest.Stubborn(m, c.Flag().Pointer(), time.Millisecond, nil), nil
	})
	fmt.Println(ok, err)
	// Output: true <nil>
}
