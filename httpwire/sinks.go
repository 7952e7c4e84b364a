package httpwire

import "github.com/hangup-go/hangup/httpwire/internal/wire"

// sinks are the requests of an HTTP/2 connection by stream. A client's streams have ascending
// odd numbers, so that those of the moment mostly find places of their own in a
// small table; the others are in a map, which costs several times as much.
type sinks struct {
	at   [16]sinkOf
	more map[uint64]wire.Sink
}

type sinkOf struct {
	id uint64 // 0: free
	s  wire.Sink
}

func (t *sinks) place(id uint64) *sinkOf { return &t.at[id/2%uint64(len(t.at))] }

func (t *sinks) set(id uint64, s wire.Sink) {
	if p := t.place(id); p.id == 0 {
		*p = sinkOf{id, s}
		return
	}
	if t.more == nil {
		t.more = make(map[uint64]wire.Sink)
	}
	t.more[id] = s
}

// get returns nil if there is none.
func (t *sinks) get(id uint64) wire.Sink {
	if p := t.place(id); p.id == id {
		return p.s
	}
	return t.more[id]
}

func (t *sinks) remove(id uint64) {
	if p := t.place(id); p.id == id {
		*p = sinkOf{}
		return
	}
	delete(t.more, id)
}

// all returns them in no order.
func (t *sinks) all() (all []wire.Sink) {
	for _, p := range t.at {
		if p.id != 0 {
			all = append(all, p.s)
		}
	}
	for _, s := range t.more {
		all = append(all, s)
	}
	return all
}
