package serve

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Run prints the addresses, serves until SIGINT or SIGTERM, and drains. While it
// drains a second signal ends the process at once, as it would any other.
func (s *Server) Run(stdout io.Writer, patience time.Duration) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if _, err := fmt.Fprint(stdout, s.Sockets); err != nil {
		return err
	}
	s.Start()
	select {
	case sig := <-signals:
		signal.Stop(signals)
		s.config.Log.Info("draining", "signal", sig, "requests", s.Inside(), "patience", patience)
		return s.Drain(patience)
	case err := <-s.failed:
		_ = s.Drain(0)
		return err
	}
}
