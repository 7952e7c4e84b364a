// Package result is what a run found out: as it is kept in a file, drawn, and compared.
package result

import (
	"time"
)

// Format is that of the file. It changes when old files can't be read any more.
const Format = 1

// Results are a run's.
type Results struct {
	Format  int
	Machine Machine
	Started time.Time
	Took    time.Duration
	Quick   bool     // too short to quote
	Notes   []string // what was left out, and why

	Latency  []Cell
	Calls    []CallCost
	Polls    []CallCost // per poll of C's
	Cancels  []CancelTime
	Requests []RequestCost
	Waste    []Waste
	Counts   []Count
}

// A Stage is a moment on the way from the client's close to the handler's return.
type Stage string

// The stages, in order. Not every contender comes to each.
const (
	Late     Stage = "late"     // the client's close, against the plan: not a part of the way
	Event    Stage = "event"    // the kernel told a thread that does nothing but wait in epoll
	Noticed  Stage = "noticed"  // hangup knew: Disconnect.Time
	Flag     Stage = "flag"     // the word that C reads was set, or the goroutine that would have done so knew
	Seen     Stage = "seen"     // C saw that it is cancelled
	Returned Stage = "returned" // the native function had returned to Go
	Done     Stage = "done"     // native.Do had returned, or what a rival has in its place
	Handler  Stage = "handler"  // the handler had returned, and all that is around it
)

// Stages are all, in order.
var Stages = []Stage{Late, Event, Noticed, Flag, Seen, Returned, Done, Handler}

// A Cell is a contender's times on a protocol under a load. Times count from just before the client's close
// or reset, except Late.
type Cell struct {
	Load, Protocol, Contender string

	Ours     bool
	Polls    bool // C looks once a millisecond
	Observed bool // with a thread of the bench's own beside it, for Event
	Trials   int
	Missed   int // clients that left and of whom nobody was told
	Times    map[Stage]Dist
	Back     Dist `json:",omitzero"` // from Seen to Done: the way back from C
}

// A CallCost is what a native call costs that nobody cancels.
type CallCost struct {
	Name    string
	Ours    bool
	NS      Ratio // per call, nanoseconds
	Allocs  float64
	Against Ratio     // the first row of the same round: the raw call
	Samples []float64 // of NS, for comparisons: medians of parts of the run
}

// A CancelTime is how long it takes within the process from Cancel to the flag.
type CancelTime struct {
	Load string
	Time Dist
}

// A RequestCost is what Configure costs requests that nobody leaves, against a plain server. Slower and CPU are
// medians of pairs, with their intervals of 95 percent.
type RequestCost struct {
	Protocol    string
	Set         string // how the server is set up
	PlainPerSec float64
	OursPerSec  float64
	PlainCPU    time.Duration // the server's process's processor time per request
	Slower      Ratio         // in %, of requests per second
	CPU         Ratio         // in %, more processor time per request
	Allocs      float64
	Slices      int
	Samples     []float64 // of CPU, as in CallCost
}

// Waste is the processor time that the server's process burns for a client that has left.
type Waste struct {
	Contender string
	Ours      bool
	Kind      string
	Clients   int
	Work      time.Duration // what the call would have computed
	Burnt     time.Duration // per client, everything included
}

// A Count is how often a contender missed clients that left, or cancelled for clients that did not.
type Count struct {
	Contender string
	Ours      bool
	Kind      string
	Clients   int
	Missed    int
	False     int
}

// A Ratio is a median with its quartiles.
type Ratio struct{ Q1, Median, Q3 float64 }
