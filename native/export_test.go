package native

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
