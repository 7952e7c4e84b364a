//go:build cgo && linux

package native_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// C that waits in poll, select or epoll, or takes one more descriptor to wait for, as curl_multi_poll does.
func ExampleCall_EventFD() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		fd, err := c.EventFD()
		if err != nil {
			return 0, err
		}
		return 0, nativetest.PollFD(fd, hour, in) // poll(2): POLLIN on fd is the cancel
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

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
