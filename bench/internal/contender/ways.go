package contender

import (
	"context"
	"os"
	"sync"

	"github.com/hangup-go/hangup/bench/internal/engine"
	"github.com/hangup-go/hangup/native"
)

// Ways are hangup's ways into C, by how that blocks. The first is what others are compared with.
var Ways = []Contender{
	{
		Name: "hangup, futex", About: "native.Do; C sleeps on the flag (hangup_wait)", Ours: true,
		New: do(func(c *Call, k *native.Call) (uint64, error) { return c.run(k.Flag().Pointer()) }),
	},
	{
		Name: "hangup, OnCancel", About: "native.Do; a callback calls the engine's cancel function", Ours: true,
		New: do(func(c *Call, k *native.Call) (uint64, error) {
			k.OnCancel(c.cancelCause)
			return c.own()
		}),
	},
	{
		Name: "hangup, canceller", About: "native.Do; a cancel function that may be lost is repeated", Ours: true,
		New: do(func(c *Call, k *native.Call) (uint64, error) {
			k.AddCanceller(native.Canceller{Cancel: c.cancelCause, Repeat: true})
			return c.own()
		}),
	},
	{
		Name: "hangup, flag", About: "native.Do; C looks at the flag once a millisecond", Ours: true, Polls: true,
		New: do(func(c *Call, k *native.Call) (uint64, error) { return c.poll(k.Flag().Pointer()) }),
	},
	{
		Name: "hangup, poll callback", About: "native.Do; C calls native.PollInt once a millisecond", Ours: true, Polls: true,
		New: do(func(c *Call, k *native.Call) (uint64, error) {
			return c.callback(native.PollInt(), k.Flag().Pointer())
		}),
	},
	{
		Name: "hangup, eventfd", About: "native.Do; C sleeps in poll(2) on Call.EventFD", Ours: true,
		New: do(func(c *Call, k *native.Call) (uint64, error) {
			fd, err := k.EventFD()
			if err != nil {
				return 0, err
			}
			return c.outcome(engine.FD(fd, c.Limit, &c.Marks))
		}),
	},
	{
		Name: "hangup, signal", About: "native.Do; C sleeps in read(2), under Call.Interruptible", Ours: true,
		New: do(func(c *Call, k *native.Call) (v uint64, err error) {
			k.Flag() // its time is the cancel's
			fd := silent()
			err = k.Interruptible(func() error {
				v, err = c.outcome(engine.Read(fd, &c.Marks))
				return err
			})
			return v, err
		}),
	},
}

// do makes a contender of what is called inside native.Do. Nothing is made per call.
func do(native1 func(*Call, *native.Call) (uint64, error)) func(*Call) func(context.Context) {
	return func(c *Call) func(context.Context) {
		fn := func(k *native.Call) (uint64, error) { return native1(c, k) }
		return func(ctx context.Context) { _, _ = native.Do(ctx, fn) }
	}
}

// silent is the end of a pipe that nothing comes out of.
var silent = sync.OnceValue(func() int {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	fd := int(r.Fd()) // blocking from here on
	kept = append(kept, r, w)
	return fd
})

var kept []*os.File
