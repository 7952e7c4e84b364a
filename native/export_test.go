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
