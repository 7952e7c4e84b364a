package native

import "time"

// Followers returns how many followers there are; each may keep a flag.
func Followers() int {
	followers.mu.Lock()
	defer followers.mu.Unlock()
	return len(followers.all)
}

// ArmNow is a round of the armer, ahead of its time.
func ArmNow() {
	followers.mu.Lock()
	defer followers.mu.Unlock()
	followers.look()
}

// PoolState returns what admission counts: calls that run or wait, and places
// that were given back to nobody or are owed.
func PoolState(p *Pool) (load int64, credit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.load.Load() &^ shutBit, p.credit
}

// SetTimerPatience sets how long a call waits for the cause of a deadline that has passed. No
// call may be running.
func SetTimerPatience(d time.Duration) (reset func()) {
	old := timerPatience
	timerPatience = d
	return func() { timerPatience = old }
}

// Traces returns how many contexts of WithTrace are left.
func Traces() int64 { return traces.Load() }

// StandardLoad is the default pool's load.
func StandardLoad() int64 {
	load, _ := PoolState(&standard)
	return load
}
