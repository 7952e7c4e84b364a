package native

import (
	"context"
	"runtime/pprof"
)

// A worker makes calls of many requests, and its processor time is put down to the profiler
// labels that it has. So it has those of a traced call's context while it makes that, and no
// others: not those of the goroutine that started it, which it inherits, and not what the
// last call's function has left.

func label(ctx context.Context) { pprof.SetGoroutineLabels(ctx) }

// unlabel takes a few nanoseconds: it is done for every call.
func unlabel() { pprof.SetGoroutineLabels(context.Background()) }
