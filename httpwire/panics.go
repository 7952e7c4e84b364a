package httpwire

import (
	"errors"
	"net/http"

	"github.com/hangup-go/hangup/cancel"
)

// together returns the value to panic with for the handler's own panic, nil if
// there was none, and those of its callbacks. It is called by the function that
// has recovered own, whose stack it may still see.
func together(own any, panics []*cancel.PanicError) any {
	all := panics
	if own != nil {
		all = append([]*cancel.PanicError{cancel.Recovered(own)}, panics...)
	}
	var first *cancel.PanicError
	var errs []error
	for _, p := range all {
		if aborts(p) {
			continue
		}
		if first == nil {
			first = p
		}
		errs = append(errs, p)
	}
	switch len(errs) {
	case 0:
		return http.ErrAbortHandler // as itself, or net/http logs it
	case 1:
		return first
	}
	return &cancel.PanicError{Value: errors.Join(errs...), Stack: first.Stack}
}

// aborts reports whether p says no more than that the response is cut short.
func aborts(p *cancel.PanicError) bool { return errors.Is(p, http.ErrAbortHandler) }

// telling reports whether one of the panics says more than that.
func telling(panics []*cancel.PanicError) bool {
	for _, p := range panics {
		if !aborts(p) {
			return true
		}
	}
	return false
}

// drain waits for the callbacks of t that are running, and returns their panics.
func drain(t *cancel.Token) (panics []*cancel.PanicError) {
	for {
		p := caught(t.Drain)
		if p == nil {
			return panics
		}
		panics = append(panics, p)
	}
}

// caught calls f, and returns its panic.
func caught(f func()) (p *cancel.PanicError) {
	defer func() {
		if v := recover(); v != nil {
			p = cancel.Recovered(v)
		}
	}()
	f()
	return nil
}
