package serve

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/hangup-go/hangup/httpwire"
)

// admit is outside httpwire's middleware: a request is inside until httpwire has
// let its handler return, which is when no callback of it runs any more.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.gate.enter() {
			s.fail(w, http.StatusServiceUnavailable, ErrDraining.Error())
			return
		}
		defer s.gate.leave()
		if r.TLS != nil && r.ProtoMajor < 3 {
			_ = s.h3.SetQUICHeaders(w.Header()) // fails while HTTP/3 is not up yet: then it is not announced
		}
		next.ServeHTTP(w, r)
	})
}

// A visit is a request whose client's leaving is to be counted once.
type visit struct {
	server  *Server
	counted atomic.Bool
}

type visitKey struct{}

// watch is inside httpwire's middleware: it counts the clients that leave.
func (s *Server) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{server: s}
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		// There is no need to stop it: httpwire lets no callback start once the
		// handler has returned, and waits for one that runs.
		_, err := httpwire.OnDisconnect(r, func(d *httpwire.Disconnect) {
			s.gone.callbacks.Add(1)
			v.count(d.Proto, d.Kind)
			s.config.Log.Info("client left", "method", r.Method, "path", r.URL.Path, "how", d)
			s.config.Trace.left(r, d)
		})
		if err != nil {
			s.config.Log.Error("the client's leaving can't be noticed", "error", err)
			s.fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (v *visit) count(p httpwire.Protocol, k httpwire.Kind) {
	if !v.counted.Swap(true) {
		v.server.gone.add(p, k)
	}
}

// BodyBroke counts r's client as having left in the middle of its body. Where
// httpwire notices as well, whoever comes first says how; a client counts once.
func BodyBroke(r *http.Request) {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		v.count(httpwire.Protocol(r.ProtoMajor), httpwire.BodyAborted)
	}
}
