//go:build !linux

package cancel

import (
	"errors"
	"fmt"
	"time"
)

func (s *slot) wake()         {}
func (s *slot) drainEventFD() {}

func (s *slot) openEventFD() (int, error) {
	return -1, fmt.Errorf("cancel: eventfd: %w", errors.ErrUnsupported)
}

// clockStart is when the program began. C has no clock of ours here.
var clockStart = clockPair{time.Now(), 1}

// monotonic returns 0: C is not told of deadlines.
func monotonic(time.Time) int64 { return 0 }
