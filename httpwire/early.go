package httpwire

// earlyResets keeps the resets of streams that no handler has attached for, yet or
// any more. The reader is ahead of the server, and can't tell which: a reset may
// come before its handler has attached, behind its end, or be of a stream that
// never gets one.
//
// So what is kept is bounded, and what can't matter has to go first. Servers start
// handlers in the order of their streams. Beyond the last that has attached, the
// lowest streams are kept: so many resets in front of a handler are a flood, the
// server admits at most 5 times its concurrent streams (250) of these, answers with
// a GOAWAY and ignores the rest, whose resets we see all the same. Behind it, the
// newest are kept: the handlers that are still to attach there have been started,
// and the others are history.
//
// That is a guess where the machine is busy: a handler that has been started may attach after
// thousands of streams behind it. Its reset's code is lost then, the reset is not: it is known
// that there was one between the lowest and the highest that had to go, and the server has
// ended the request's context (see lost).
type earlyResets struct {
	codes map[uint32]uint32
	top   uint32   // the highest stream that has attached
	ahead []uint32 // kept beyond top, oldest first
	past  []uint32 // ring of those that are kept up to top
	next  int      // of past: the oldest

	low, high uint32 // of those that had to go; 0, 0: none
}

const maxEarly = 2048 // of ahead, and of past

// has reports whether a reset of stream id is kept.
func (e *earlyResets) has(id uint32) bool {
	_, ok := e.codes[id]
	return ok
}

// keep takes note of a reset.
func (e *earlyResets) keep(id, code uint32) {
	if _, ok := e.codes[id]; ok {
		return
	}
	if id > e.top && len(e.ahead) >= maxEarly {
		e.drop(id)
		return
	}
	if e.codes == nil {
		e.codes = make(map[uint32]uint32)
	}
	e.codes[id] = code
	if id > e.top {
		e.ahead = append(e.ahead, id)
	} else {
		e.pass(id)
	}
}

// attach returns, and forgets, the reset of a stream that has a handler now.
func (e *earlyResets) attach(id uint32) (code uint32, ok bool) {
	if len(e.codes) > 0 {
		if code, ok = e.codes[id]; ok {
			delete(e.codes, id)
		}
	}
	e.top = max(e.top, id)
	for len(e.ahead) > 0 && e.ahead[0] <= e.top {
		e.pass(e.ahead[0])
		e.ahead = e.ahead[1:]
	}
	if len(e.ahead) == 0 {
		e.ahead = nil
	}
	return code, ok
}

// pass puts id among those that are kept up to top.
func (e *earlyResets) pass(id uint32) {
	switch _, ok := e.codes[id]; {
	case !ok: // attached
	case len(e.past) < maxEarly:
		e.past = append(e.past, id)
	default:
		if _, ok := e.codes[e.past[e.next]]; ok {
			delete(e.codes, e.past[e.next])
			e.drop(e.past[e.next])
		}
		e.past[e.next] = id
		e.next = (e.next + 1) % maxEarly
	}
}

func (e *earlyResets) drop(id uint32) {
	if e.low == 0 || id < e.low {
		e.low = id
	}
	e.high = max(e.high, id)
}

// lost reports whether id's reset may have had to go. It is for a stream that has attached,
// and whose context has ended for no reason that is known.
func (e *earlyResets) lost(id uint32) bool { return e.low != 0 && e.low <= id && id <= e.high }

// claim forgets any one reset, and reports whether there was one.
func (e *earlyResets) claim() bool {
	for id := range e.codes {
		delete(e.codes, id)
		return true
	}
	return false
}
