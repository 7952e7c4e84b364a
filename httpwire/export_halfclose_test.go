package httpwire

import "context"

// InputEnded reports whether the connection of ctx's request knows that its
// client has ended its sending, and spares it.
func InputEnded(ctx context.Context) bool {
	t := ctx.Value(watchKey{}).(*watch).conn.(*tcp)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end.level != 0
}

// Outlives reports whether ctx ignores the end of its parent.
func Outlives(ctx context.Context) bool {
	return ctx.Value(watchKey{}).(*watch).half.ignoring.Load()
}
