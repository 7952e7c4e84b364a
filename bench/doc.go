// Command bench measures how fast a client's hang-up stops native code: hangup against what people write today,
// by protocol, by way in, under load; what it costs when nobody hangs up, and what is burnt when nobody stops.
//
//	go -C bench run .          # all of it, some fourteen minutes: tables; README.md, results.json and plots in bench/results
//	go -C bench run . -quick   # a look, in under a minute: tables
//	go -C bench run . -h
//
// It is a module of its own, for the sake of its plots and rivals. To time a native call of your own, see
// package native/measure of the root module.
//
// # How it measures
//
// Server and clients are two processes. Each request's path says which trial it is. A batch of requests is
// in flight together, each inside its native call before the first one leaves; they leave one by one at times
// that were planned before, so that a slow cancel puts off no other: nothing is left out because the server was
// busy. Loads of busy goroutines begin when a batch is inside, so that many closes are measured in little time. A time counts
// from the client's clock reading just before its close or reset; how late that was against the plan is a column of its own
// in the results. Contenders take turns, in a new order by chance in each round, and ratios are of one round's medians.
//
// The native code is C that sleeps, and stamps when it was inside and when it saw that it is cancelled. Contenders are a table
// (internal/contender), and so are loads (internal/load) and the plan (internal/suite).
package main
