package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrDraining is the cause of a request's context that the server cancelled
// because it is about to end. It is not a disconnect.
var ErrDraining = errors.New("the server is shutting down")

// How long requests get to return once they have been cancelled, and then
// connections to deliver their last answers.
const (
	returnGrace = 10 * time.Second
	flushGrace  = time.Second
)

// Drain ends the server. From here on no request is let in; those inside get
// patience to end by themselves, then their contexts are cancelled with
// ErrDraining, and they get some more to return. Drain returns when every
// request has returned, every answer was sent or given up, and the sockets are
// closed. It must be called once. If requests do not return even so, the error
// says how many, and they are left running: the process should end.
func (s *Server) Drain(patience time.Duration) error {
	empty := s.gate.close()
	ctx, stop := context.WithCancel(context.Background())
	var shutting sync.WaitGroup // both stop accepting at once, and wait for connections to go idle
	shutting.Go(func() { _ = s.http.Shutdown(ctx) })
	shutting.Go(func() { _ = s.h3.Shutdown(ctx) })

	if err := s.wait(empty, patience); err != nil {
		stop() // what follows would wait for the stuck request, perhaps for ever
		return errors.Join(err, s.Sockets.Close())
	}
	flushed := time.AfterFunc(flushGrace, stop) // clients that keep a connection do not keep us
	shutting.Wait()
	flushed.Stop()
	stop()
	err := errors.Join(s.http.Close(), s.h3.Close(), s.Sockets.Close())
	s.serving.Wait()
	return err
}

func (s *Server) wait(empty <-chan struct{}, patience time.Duration) error {
	defer s.cancel(ErrDraining) // frees what followBase holds, in any case
	if within(empty, patience) {
		return nil
	}
	s.config.Log.Info("cancelling what still runs", "requests", s.Inside())
	s.cancel(ErrDraining)
	if within(empty, returnGrace) {
		return nil
	}
	return fmt.Errorf("%d requests did not return", s.Inside())
}

func within(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
