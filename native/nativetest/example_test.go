//go:build cgo

package nativetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hangup-go/hangup/native"
	"github.com/hangup-go/hangup/native/nativetest"
)

// A Solver is a binding as a program has it. nativetest.Engine stands for the C library:
// its cancel function sticks, and C that ran to its end before hearing it would stop the next call.
type Solver struct {
	lib *native.Handle[*nativetest.Engine]
}

func NewSolver() *Solver {
	return &Solver{native.NewHandle(nativetest.NewEngine(nativetest.Sticky), (*nativetest.Engine).Free)}
}

// Solve works for d at most.
func (s *Solver) Solve(ctx context.Context, d time.Duration) (answer int, err error) {
	return native.Do(ctx, func(c *native.Call) (int, error) {
		lib, err := s.lib.Use(c)
		if err != nil {
			return 0, err
		}
		c.AddCanceller(native.Canceller{
			Cancel: func(error) { lib.Cancel() },
			Reset:  lib.Reset,
		})
		if err := lib.Run(d, nil); err != nil {
			return 0, err
		}
		return 42, nil
	})
}

func (s *Solver) Close() error { return s.lib.Close(context.Background()) }

// solver says how the program uses a Solver: by the functions that it has anyway.
func solver() nativetest.Binding[*Solver] {
	return nativetest.Binding[*Solver]{
		New: func() (*Solver, error) { return NewSolver(), nil },
		Run: func(ctx context.Context, s *Solver) error {
			_, err := s.Solve(ctx, time.Hour) // work without end
			return err
		},
		Check: func(ctx context.Context, s *Solver) error {
			answer, err := s.Solve(ctx, time.Microsecond)
			if err == nil && answer != 42 {
				err = fmt.Errorf("the answer is %d", answer)
			}
			return err
		},
		Close: (*Solver).Close,
	}
}

func ExampleTestInterrupter() {
	var t *testing.T // of func TestSolver_cancel(t *testing.T)

	nativetest.TestInterrupter(t, solver())
}
