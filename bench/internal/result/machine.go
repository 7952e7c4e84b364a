package result

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Machine is where and on what a run was.
type Machine struct {
	CPU        string
	Cores      int
	GOMAXPROCS int
	Kernel     string
	Go         string
	Commit     string // with a + if the tree had changes
	LoadBefore string // averages of 1, 5 and 15 minutes
	LoadAfter  string
	BusyBefore float64 // the part of the processors that others used, in a second before the run
}

// ThisMachine returns this one, as it is before a run.
func ThisMachine() Machine {
	return Machine{
		CPU: cpu(), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Kernel: kernel(),
		Go: runtime.Version(), Commit: commit(), LoadBefore: LoadAverage(), BusyBefore: busyFor(time.Second),
	}
}

// LoadAverage is the system's, of 1, 5 and 15 minutes.
func LoadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	return strings.Join(f[:min(3, len(f))], " ")
}

// Busy says that the machine was doing other work before the run: its figures are not to be quoted.
func (m Machine) Busy() bool { return m.BusyBefore > 0.1 }

// busyFor waits for d, and returns the part of the processors that was not idle meanwhile, as proc_stat(5) has it.
func busyFor(d time.Duration) float64 {
	idle, all := ticks()
	time.Sleep(d)
	idle2, all2 := ticks()
	if all2 == all {
		return 0
	}
	return 1 - (idle2-idle)/(all2-all)
}

// ticks are those of all processors since the system's start.
func ticks() (idle, all float64) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line)[1:] { // user, nice, system, idle, iowait, irq, softirq, steal, and guests within user
		n, _ := strconv.ParseFloat(f, 64)
		switch {
		case i == 3 || i == 4:
			idle += n
		case i >= 8:
			continue
		}
		all += n
	}
	return idle, all
}

func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

func commit() string {
	rev, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	// What a run writes itself does not count.
	changed, _ := exec.Command("git", "status", "--porcelain", "--", ":/", ":(top,exclude)bench/results", ":(top,exclude)README.md").Output()
	if len(changed) > 0 {
		return strings.TrimSpace(string(rev)) + "+"
	}
	return strings.TrimSpace(string(rev))
}
