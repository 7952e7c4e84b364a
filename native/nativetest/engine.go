//go:build cgo

package nativetest

// #include "engine.h"
import "C"

import (
	"errors"
	"runtime/cgo"
	"time"
	"unsafe"

	"github.com/hangup-go/hangup/cancel"
)

// A Kind is what becomes of a cancel that comes when an [Engine] runs nothing.
type Kind C.enum_ht_kind

// The kinds of cancel functions.
const (
	Lost   Kind = C.ht_lost   // nothing: PQcancel
	Sticky Kind = C.ht_sticky // it stays until it is reset, and hits the next run: ONNX Runtime, CaDiCaL, libvips
	Clears Kind = C.ht_clears // the next run clears it as it starts: sqlite3_interrupt, duckdb_interrupt
)

// ErrBusy is what a run returns while another is inside its engine.
var ErrBusy = errors.New("nativetest: engine busy")

// An Engine has a cancel function to be called from another thread. It is owned
// by its maker, who frees it when no Run and no Cancel can be under way.
type Engine struct{ e *C.ht_engine }

// NewEngine returns an engine whose cancel function is of the given kind.
func NewEngine(k Kind) *Engine { return &Engine{C.ht_engine_new(C.enum_ht_kind(k))} }

// Run computes in C until cancelled, for d at most.
func (e *Engine) Run(d time.Duration, in *Inside) error {
	return ran(C.ht_engine_run(e.e, C.uint64_t(d), unsafe.Pointer(in)))
}

// RunProgress is Run for a library that calls back into Go: progress is called all the
// time, and stops the run by saying so. A panic of progress stops the run, and is
// raised when C has returned: to let it unwind C would leave the engine busy for good.
func (e *Engine) RunProgress(progress func() (stop bool), d time.Duration, in *Inside) error {
	p := &progressCallback{f: progress}
	h := cgo.NewHandle(p)
	defer h.Delete()
	err := ran(C.ht_engine_run_go(e.e, C.uintptr_t(h), C.uint64_t(d), unsafe.Pointer(in)))
	if p.panic != nil {
		panic(p.panic)
	}
	return err
}

type progressCallback struct {
	f     func() bool
	panic *cancel.PanicError
}

//export htProgress
func htProgress(h C.uintptr_t) (stop C.int) {
	p := cgo.Handle(h).Value().(*progressCallback)
	defer func() {
		if v := recover(); v != nil {
			p.panic = cancel.Recovered(v)
			stop = 1
		}
	}()
	if p.f() {
		return 1
	}
	return 0
}

// Cancel asks the run to stop.
func (e *Engine) Cancel() { C.ht_engine_cancel(e.e) }

// Reset takes back a cancel that stuck.
func (e *Engine) Reset() { C.ht_engine_reset(e.e) }

// Free frees the engine.
func (e *Engine) Free() { C.ht_engine_free(e.e) }

func ran(rc C.int) error {
	if rc == C.ht_busy {
		return ErrBusy
	}
	return stopped(rc)
}
