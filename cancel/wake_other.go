//go:build !linux

package cancel

import (
	"errors"
	"fmt"
)

func (s *slot) wake()         {}
func (s *slot) drainEventFD() {}

func (s *slot) openEventFD() (int, error) {
	return -1, fmt.Errorf("cancel: eventfd: %w", errors.ErrUnsupported)
}
