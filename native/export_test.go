package native

// Followers returns how many followers there are; each may keep a flag.
func Followers() int {
	followers.mu.Lock()
	defer followers.mu.Unlock()
	return len(followers.all)
}
