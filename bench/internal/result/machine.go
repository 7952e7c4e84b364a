package result

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

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
}

// ThisMachine returns this one, as it is before a run.
func ThisMachine() Machine {
	return Machine{
		CPU: cpu(), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Kernel: kernel(),
		Go: runtime.Version(), Commit: commit(), LoadBefore: LoadAverage(),
	}
}

// LoadAverage is the system's, of 1, 5 and 15 minutes.
func LoadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	return strings.Join(f[:min(3, len(f))], " ")
}

// Busy says that the machine was doing other work before the run: its figures are not to be quoted.
func (m Machine) Busy() bool {
	var last float64
	_, _ = fmt.Sscan(m.LoadBefore, &last)
	return last > float64(m.Cores)/2
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
