// Package memtest counts what the program allocates, for the tests of httpwire and h3.
package memtest

import "runtime"

// PerRun returns how many objects and bytes a run of f allocates, on all goroutines, of so many after a first one.
func PerRun(runs int, f func()) (objects, bytes float64) {
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	n := float64(runs)
	return float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n
}
