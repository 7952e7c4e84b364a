package serve

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/hangup-go/hangup/httpwire"
)

// Calls are the figures of /debug/calls. Native calls are counted where
// Config.Stats says, by default for the whole process; the rest for this server.
type Calls struct {
	Running                uint64 `json:"running"`
	Queued                 int64  `json:"queued"` // wait for their turn, not in C yet
	Started                uint64 `json:"started"`
	Completed              uint64 `json:"completed"`
	Cancelled              uint64 `json:"cancelled"`
	CompletedDespiteCancel uint64 `json:"completed_despite_cancel"`
	Abandoned              uint64 `json:"abandoned"`       // none: every call is waited for
	CallbacksFired         uint64 `json:"callbacks_fired"` // of disconnects and of native calls

	Disconnects map[string]map[string]uint64 `json:"disconnects"` // by protocol, then kind
}

// Calls returns the figures now.
func (s *Server) Calls() Calls {
	n := s.config.Stats()
	c := Calls{
		Running:                n.Running,
		Started:                n.Started,
		Completed:              n.Completed,
		Cancelled:              n.Cancelled,
		CompletedDespiteCancel: n.CompletedDespiteCancel,
		CallbacksFired:         n.Callbacks + s.gone.callbacks.Load(),
		Disconnects:            s.gone.read(),
		Queued:                 int64(n.Queued),
	}
	if s.config.Queued != nil {
		c.Queued += s.config.Queued()
	}
	return c
}

// disconnects counts the clients that left, by protocol and kind.
type disconnects struct {
	callbacks atomic.Uint64
	mu        sync.Mutex
	counts    map[string]map[string]uint64
}

func (d *disconnects) add(p httpwire.Protocol, k httpwire.Kind) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = make(map[string]map[string]uint64)
	}
	kinds := d.counts[p.String()]
	if kinds == nil {
		kinds = make(map[string]uint64)
		d.counts[p.String()] = kinds
	}
	kinds[k.String()]++
}

func (d *disconnects) read() map[string]map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]map[string]uint64, len(d.counts))
	for p, kinds := range d.counts {
		out[p] = maps.Clone(kinds)
	}
	return out
}

// routes adds the server's own endpoints to the handler's.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.config.Handler)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		if !NotAllowed(w, r, http.MethodGet, http.MethodHead) {
			JSON(w, http.StatusOK, map[string]string{"status": "ok"})
		}
	})
	mux.HandleFunc("/debug/calls", func(w http.ResponseWriter, r *http.Request) {
		if !NotAllowed(w, r, http.MethodGet) {
			JSON(w, http.StatusOK, s.Calls())
		}
	})
	return mux
}
