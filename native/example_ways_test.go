//go:build cgo

package native_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// The examples' calls last an hour; their client leaves once they are inside C.
const hour = time.Hour

// client returns a context that is done once a call has entered C, as a request's is when its client leaves.
func client() (ctx context.Context, in *nativetest.Inside) {
	ctx, leave := context.WithCancelCause(context.Background())
	in = new(nativetest.Inside)
	go func() { in.Wait(); leave(errors.New("client left")) }()
	return ctx, in
}

// C that loops reads one word: in C, hangup_cancelled(flag) of hangup.h, or any atomic load.
func ExampleCall_Flag() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		return 0, nativetest.Spin(c.Flag().Pointer(), hour, in) // while (!hangup_cancelled(flag)) ...
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

// C that sleeps does so on the flag, in hangup_wait of hangup.h: a futex, woken by the cancel.
func ExampleCall_Flag_wait() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		return 0, nativetest.Sleep(c.Flag().Pointer(), hour, in) // while (!hangup_wait(flag, timeout)) ...
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

// C that honours the deadline of the call's context by itself, with hangup_expired of hangup.h: no timer of Go's is needed.
func ExampleCall_Flag_deadline() {
	ctx, stop := context.WithTimeout(context.Background(), time.Millisecond)
	defer stop()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		return 0, nativetest.UntilExpired(c.Flag().Pointer(), hour, nil) // while (!hangup_expired(flag)) ...
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, nativetest.ErrStopped))
	// Output: true true
}

// A library that takes an abort callback, int (*)(void *), gets a ready-made one, with the flag as its user data:
// sqlite3_progress_handler(db, 1000, poll, flag). It never calls into Go.
func ExamplePollInt() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		return 0, nativetest.RunInt(native.PollInt(), c.Flag().Pointer(), hour, in)
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

// A progress callback with other parameters and other answers: GDAL's stops by 0.
func ExamplePollGDAL() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		if nativetest.RunGDAL(native.PollGDAL(), c.Flag().Pointer(), hour, in) != 0 {
			return 0, errors.New("CPLE_UserInterrupt")
		}
		return 1, nil
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): CPLE_UserInterrupt
}

// A cancel function that acts on an object which is made for this call alone: once is enough.
func ExampleCall_OnCancel() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		e := nativetest.NewEngine(nativetest.Sticky)
		c.Cleanup(func(bool) { e.Free() }) // and not a defer: Cancel may come as the function returns
		c.OnCancel(func(cause error) { e.Cancel() })
		return 0, e.Run(hour, in)
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

// The same as a [native.Canceller] that has nothing wrong with it.
func ExampleCall_AddCanceller() {
	ctx, in := client()
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		e := nativetest.NewEngine(nativetest.Sticky)
		c.Cleanup(func(bool) { e.Free() })
		c.AddCanceller(native.Canceller{Cancel: func(error) { e.Cancel() }})
		return 0, e.Run(hour, in)
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

// A cancel that comes too early does nothing, or the library clears it as it starts (sqlite3_interrupt, PQcancel): it is
// repeated until the function has returned.
func ExampleCall_AddCanceller_repeat() {
	db := nativetest.NewEngine(nativetest.Lost)
	defer db.Free()
	ctx, leave := context.WithCancelCause(context.Background())
	_, err := native.Do(ctx, func(c *native.Call) (int, error) {
		first := make(chan bool, 1)
		c.AddCanceller(native.Canceller{
			Cancel: func(error) {
				db.Cancel()
				select {
				case first <- true:
				default:
				}
			},
			Repeat: true,
		})
		leave(errors.New("client left"))
		<-first // too early: nothing runs yet
		return 0, db.Run(hour, nil)
	})
	fmt.Println(err)
	// Output: native: call cancelled (client left): nativetest: stopped
}

// A cancel that comes too late stays, and would stop the next call on the same handle (ONNX Runtime's SetTerminate,
// libvips' kill): it is taken back.
func ExampleCall_AddCanceller_reset() {
	session := nativetest.NewEngine(nativetest.Sticky)
	defer session.Free()
	ctx, leave := context.WithCancelCause(context.Background())
	native.Do(ctx, func(c *native.Call) (int, error) {
		called := make(chan bool)
		c.AddCanceller(native.Canceller{
			Cancel: func(error) { session.Cancel(); close(called) },
			Reset:  session.Reset,
		})
		err := session.Run(time.Microsecond, nil)
		leave(errors.New("client left"))
		<-called // too late: the library is done
		return 0, err
	})
	fmt.Println("the next call:", session.Run(time.Microsecond, nil))
	// Output: the next call: <nil>
}

// C that nothing stops is left to itself after a while; what it uses is freed when it has returned.
func ExampleHandle() {
	model := native.NewHandle(nativetest.NewBlock(), func(b nativetest.Block) {
		b.Free()
		fmt.Println("freed")
	})
	ctx, in := client()
	var finish cancel.Token
	defer finish.Close()
	until := finish.Flag().Pointer()
	_, err := native.Do(ctx, func(c *native.Call) (bool, error) {
		c.AbandonAfter(time.Millisecond)
		m, err := model.Use(c) // leased until C has really returned
		if err != nil {
			return false, err
		}
		return nativetest.Stubborn(m, until, hour, in), nil
	})
	fmt.Println(err)
	model.Retire() // C still runs: it is not freed here
	finish.Cancel(nil)
	model.Close(context.Background()) // waits for that
	// Output:
	// native: call cancelled (client left): abandoned, still running
	// freed
}
