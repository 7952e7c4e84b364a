//go:build !linux || !cgo

package httpwire

import (
	"errors"
	"fmt"
	"time"

	"github.com/hangup-go/hangup/httpwire/internal/wire"
)

const hasSetter = false

func newEntry(uint32) *entry        { return nil }
func (e *entry) register(int) error { return errors.ErrUnsupported }
func (e *entry) unregister(int)     {}
func (e *entry) wait(uint32)        {}

func (*tcp) struckBy(*entry) wire.Event { return wire.Event{} }
func struckAt(*entry) time.Time         { return time.Now() }

func setterPriority(int) error {
	return fmt.Errorf("httpwire: no thread of the monitor's own in this build: %w", errors.ErrUnsupported)
}
