// Package frameworks has no code but its tests: they show that the signal of
// httpwire passes through the routers, middleware and RPC libraries that people
// use, and that native.Do works under their contexts unchanged. It is a module of its own so
// that nobody else downloads them.
package frameworks
