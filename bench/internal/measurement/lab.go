// Package measurement runs contenders and says what became of them.
package measurement

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/hangup-go/hangup/bench/internal/client"
	"github.com/hangup-go/hangup/bench/internal/clock"
	"github.com/hangup-go/hangup/bench/internal/contender"
	"github.com/hangup-go/hangup/bench/internal/server"
)

// A Lab has the servers and the client of a run.
type Lab struct {
	client  *client.Process
	servers map[where]*server.Server
	cost    map[Set]*server.Server // of those whose cost is measured

	mu     sync.Mutex
	next   int
	trials map[string]*trial // that are under way, by path
}

// where is a server.
type where struct{ ours, observed bool }

// NewLab starts servers and client. Close ends them.
func NewLab() (l *Lab, err error) {
	l = &Lab{servers: map[where]*server.Server{}, cost: map[Set]*server.Server{}, trials: map[string]*trial{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, w := range []where{{false, false}, {true, false}, {false, true}, {true, true}} {
		s, err := server.New(server.Config{
			Configured: w.ours, Observed: w.observed, Handler: http.HandlerFunc(l.handle), Around: l.around,
		})
		if err != nil {
			return l, err
		}
		l.servers[w] = s
	}
	for set, conf := range sets {
		if l.cost[set], err = server.New(conf); err != nil {
			return l, err
		}
	}
	cert, err := server.Certificate()
	if err != nil {
		return l, err
	}
	l.client, err = client.Start(cert.Certificate[0])
	return l, err
}

// Close ends client and servers.
func (l *Lab) Close() (err error) {
	if l.client != nil {
		err = l.client.Close()
	}
	for _, s := range l.servers {
		err = errors.Join(err, s.Close())
	}
	for _, s := range l.cost {
		err = errors.Join(err, s.Close())
	}
	return err
}

// A trial is one request of a batch.
type trial struct {
	call   *contender.Call
	run    func(*http.Request)
	server *server.Server
	event  server.Event
	ended  chan struct{} // closed when the handler has returned

	noticed, handler int64 // valid once ended is closed
}

// enlist makes trials known, and returns the number of the first one's path.
func (l *Lab) enlist(trials []*trial) (first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = l.next
	l.next += len(trials)
	for i, t := range trials {
		l.trials[path(first+i)] = t
	}
	return first
}

func (l *Lab) strike(first, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range count {
		delete(l.trials, path(first+i))
	}
}

func path(n int) string { return "/" + strconv.Itoa(n) }

func (l *Lab) trial(r *http.Request) *trial {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trials[r.URL.Path]
}

// handle is the handler of a trial's requests, and of those that come behind one.
func (l *Lab) handle(_ http.ResponseWriter, r *http.Request) {
	t := l.trial(r)
	if t == nil {
		return
	}
	t.event = t.server.EventOf(r)
	t.run(r)
	t.call.Stamp(contender.Done)
	t.noticed = noticed(r.Context())
}

// around is around all of a server's: when it has returned, everything has.
func (l *Lab) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/next") {
			h.ServeHTTP(w, r)
			return
		}
		t := l.trial(r)
		if t == nil {
			return // of a batch that was given up
		}
		defer close(t.ended)
		h.ServeHTTP(w, r)
		t.handler = clock.Now()
	})
}
