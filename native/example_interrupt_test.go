//go:build cgo && linux

package native_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/native"
)

// A read of a pipe that nobody writes to ends with its context.
func ExampleCall_Interruptible() {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		panic(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()

	_, err := native.Do(ctx, func(c *native.Call) (n int, err error) {
		err = c.Interruptible(func() error {
			n, err = unix.Read(p[0], make([]byte, 1))
			return err
		})
		return n, err
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, unix.EINTR))
	// Output: true true
}
