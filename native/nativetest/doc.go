// Package nativetest tests bindings of native code: [TestInterrupter] cancels calls of
// yours at every moment and says what is wrong. A binding is tested by the functions that its program has anyway:
//
//	func TestSolver(t *testing.T) {
//		nativetest.TestInterrupter(t, nativetest.Binding[*Solver]{
//			New: func() (*Solver, error) { return NewSolver(), nil },
//			Run: func(ctx context.Context, s *Solver) error { // only a cancel ends it
//				_, err := s.Solve(ctx, time.Hour)
//				return err
//			},
//			Check: func(ctx context.Context, s *Solver) error { // short, and nobody cancels it
//				answer, err := s.Solve(ctx, time.Microsecond)
//				if err == nil && answer != 42 {
//					err = fmt.Errorf("the answer is %d", answer)
//				}
//				return err
//			},
//			Close: (*Solver).Close,
//		})
//	}
//
// A _test.go file can't import "C": the binding is in a file of its own.
//
// The package also holds C fixtures that block the way real libraries do, for the tests and
// benchmarks of package native. They need cgo.
package nativetest
