package measurement

import (
	"os"
	"testing"

	"github.com/hangup-go/hangup/bench/internal/client"
)

func TestMain(m *testing.M) {
	if client.IsChild() {
		client.Main()
		return
	}
	os.Exit(m.Run())
}

func newLab(t *testing.T) *Lab {
	t.Helper()
	l, err := NewLab()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
