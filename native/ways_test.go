//go:build cgo

package native_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// Every ready-made callback lets its library run on while nobody has cancelled, and
// stops it by the library's own convention.
func TestPoll_conventions(t *testing.T) {
	for name, abi := range map[string]struct {
		poll    unsafe.Pointer
		run     nativetest.ABI
		stopped int
	}{
		"libcurl":            {native.PollCurl(), nativetest.RunCurl, 1},
		"Tesseract":          {native.PollTesseract(), nativetest.RunTesseract, 1},
		"libgit2":            {native.PollGit2(), nativetest.RunCode, nativetest.Git2Stopped},
		"PCRE2":              {native.PollPCRE2(), nativetest.RunCode, nativetest.PCRE2Stopped},
		"GDAL":               {native.PollGDAL(), nativetest.RunGDAL, 1},
		"llama.cpp, loading": {native.PollLlamaLoad(), nativetest.RunLlamaLoad, 1},
		"ImageMagick":        {native.PollMagick(), nativetest.RunMagick, 1},
	} {
		bothWays(t, func(t *testing.T, do doFunc) {
			ran, err := do(context.Background(), func(c *native.Call) (int, error) {
				return abi.run(abi.poll, c.Flag().Pointer(), time.Millisecond, nil), nil
			})
			if ran != 0 || err != nil {
				t.Errorf("%s, not cancelled: %d, %v", name, ran, err)
			}
			for under, make := range contexts(t) {
				ctx, stop := make()
				in := new(nativetest.Inside)
				go func() { in.Wait(); stop() }()
				var code int
				_, err := do(ctx, func(c *native.Call) (int, error) {
					code = abi.run(abi.poll, c.Flag().Pointer(), long, in)
					return 0, nativetest.ErrStopped
				})
				if code != abi.stopped || !errors.Is(err, errGone) {
					t.Errorf("%s under %s: stopped with %d (%v), want %d", name, under, code, err, abi.stopped)
				}
			}
		})
	}
}

// C6: a thread asleep on the flag, and one that waits for the descriptor, are woken.
func TestCall_asleep(t *testing.T) {
	ways := map[string]func(c *native.Call, in *nativetest.Inside) error{
		"futex": func(c *native.Call, in *nativetest.Inside) error {
			return nativetest.Sleep(c.Flag().Pointer(), long, in)
		},
		"eventfd": func(c *native.Call, in *nativetest.Inside) error {
			fd, err := c.EventFD()
			if errors.Is(err, errors.ErrUnsupported) && runtime.GOOS != "linux" {
				return nativetest.Spin(c.Flag().Pointer(), long, in)
			}
			if err != nil {
				return err
			}
			return nativetest.PollFD(fd, long, in)
		},
	}
	bothWays(t, func(t *testing.T, do doFunc) {
		for way, run := range ways {
			for name, make := range contexts(t) {
				// Twice, as slot and descriptor are used again: what woke the
				// first must not wake the second.
				for range 2 {
					ctx, stop := make()
					in := new(nativetest.Inside)
					go func() { in.Wait(); stop() }()
					_, err := do(ctx, func(c *native.Call) (int, error) { return 0, run(c, in) })
					if !errors.Is(err, nativetest.ErrStopped) || !errors.Is(err, errGone) {
						t.Errorf("%s under %s: %v", way, name, err)
					}
				}
			}
		}
	})
}

// N4: what is left of a cancelled call in its descriptor does not reach the next.
func TestCall_eventFDIsFresh(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no eventfd")
	}
	for range 100 {
		ctx, stop := context.WithCancel(context.Background())
		_, err := native.Inline(ctx, func(c *native.Call) (int, error) {
			fd, err := c.EventFD()
			if err != nil {
				return 0, err
			}
			if nativetest.PollFD(fd, 0, nil) == nativetest.ErrStopped {
				t.Error("readable before the cancel")
			}
			stop()
			return 0, nativetest.PollFD(fd, long, nil)
		})
		if !errors.Is(err, nativetest.ErrStopped) {
			t.Fatal(err)
		}
	}
}

// The flag carries its context's deadline, which C can honour without Go; and not
// that of an earlier call.
func TestFlag_deadline(t *testing.T) {
	bothWays(t, func(t *testing.T, do doFunc) {
		deadline := func(ctx context.Context) (ns int64) {
			_, err := do(ctx, func(c *native.Call) (int, error) {
				ns = nativetest.Deadline(c.Flag().Pointer())
				return 0, nil
			})
			if err != nil {
				t.Error(err)
			}
			return ns
		}
		for range 3 {
			before := nativetest.Now()
			ctx, stop := context.WithTimeout(context.Background(), time.Hour)
			got := deadline(ctx)
			stop()
			if after := nativetest.Now(); runtime.GOOS == "linux" &&
				(got < before+int64(time.Hour)-int64(time.Second) || got > after+int64(time.Hour)+int64(time.Second)) {
				t.Errorf("deadline %d, want an hour after %d to %d", got, before, after)
			}
			ctx, end := context.WithCancel(context.Background())
			if got := deadline(ctx); got != math.MaxInt64 {
				t.Errorf("deadline %d without one", got)
			}
			end()
		}
		far, stop := context.WithDeadline(context.Background(), time.Now().Add(math.MaxInt64))
		defer stop()
		if got := deadline(far); runtime.GOOS == "linux" && got < nativetest.Now() {
			t.Errorf("a far deadline is %d", got)
		}
	})
}

// A deadline stops C that asks hangup_expired although Go does not cancel.
func TestFlag_expired(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C is not told of deadlines")
	}
	var tok cancel.Token
	defer tok.Close()
	f := tok.Flag()
	if nativetest.UntilExpired(f.Pointer(), time.Millisecond, nil) != nil {
		t.Error("expired without a deadline")
	}
	f.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if nativetest.UntilExpired(f.Pointer(), long, nil) != nativetest.ErrStopped || tok.Cancelled() {
		t.Error("the deadline did not stop C")
	}
	f.SetDeadline(time.Time{})
	if nativetest.UntilExpired(f.Pointer(), time.Millisecond, nil) != nil {
		t.Error("expired although the deadline was taken back")
	}
	f.SetDeadline(time.Unix(1, 0))
	if nativetest.UntilExpired(f.Pointer(), long, nil) != nativetest.ErrStopped {
		t.Error("not expired long after the deadline")
	}
}

// N2: C that has honoured the deadline by itself is told from C that failed, also
// where it was ahead of Go's timer.
func TestDo_deadlineInC(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("C is not told of deadlines")
	}
	bothWays(t, func(t *testing.T, do doFunc) {
		for _, wait := range []func(unsafe.Pointer, time.Duration, *nativetest.Inside) error{nativetest.UntilExpired, nativetest.SleepUntilExpired} {
			ctx, stop := context.WithTimeout(context.Background(), 5*time.Millisecond)
			_, err := do(ctx, func(c *native.Call) (int, error) { return 0, wait(c.Flag().Pointer(), long, nil) })
			stop()
			var ne *native.Error
			if !errors.As(err, &ne) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, nativetest.ErrStopped) {
				t.Errorf("got %v, want an Error with the deadline and what C said", err)
			}
		}
		failed := errors.New("failed")
		ctx, stop := context.WithTimeout(context.Background(), time.Hour)
		defer stop()
		if _, err := do(ctx, func(*native.Call) (int, error) { return 0, failed }); err != failed {
			t.Errorf("before the deadline: %v, want %v", err, failed)
		}
	})
}
