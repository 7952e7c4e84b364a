//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package httpwire

// Monitored returns the number of connections that the monitor watches, -1 if it
// is not running.
func Monitored() int {
	theMonitor.mu.Lock()
	defer theMonitor.mu.Unlock()
	if theMonitor.poll == nil {
		return -1
	}
	return len(theMonitor.conns)
}
