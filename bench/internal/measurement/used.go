package measurement

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// used is this process's processor time and allocations so far.
func used() (cpu time.Duration, mallocs uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return cpuTime(), m.Mallocs
}

func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // there is no such Linux
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
