package gguf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/hangup-go/hangup/examples/completions/internal/gguf"
)

// That the file is as llama.cpp wants it is tested where llama.cpp is.
func TestWriteRandom(t *testing.T) {
	write := func(seed uint64) []byte {
		var b bytes.Buffer
		if err := gguf.WriteRandom(&b, seed); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	one := write(1)
	if !bytes.HasPrefix(one, []byte("GGUF\x03\x00\x00\x00")) || len(one)%32 != 0 || len(one) > 32<<20 {
		t.Errorf("%d bytes, %q...", len(one), one[:8])
	}
	if !bytes.Equal(one, write(1)) || bytes.Equal(one, write(2)) {
		t.Error("the seed does not determine the file")
	}
}

type full struct{ room int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteRandom_fullDisk(t *testing.T) {
	if err := gguf.WriteRandom(&full{3 << 20}, 1); err != errFull {
		t.Errorf("%v", err)
	}
}

// Each binary16 number is its own rounding, and what is between two goes to the
// nearer one, in the middle to the even one.
func TestFloat16(t *testing.T) {
	for h := range uint16(0x7c00) {
		f := float32Of(h)
		if h < 0x0400 {
			f = 0 // what is not normal becomes zero
		}
		want := h
		if f == 0 {
			want = 0
		}
		for _, sign := range []uint16{0, 0x8000} {
			if sign != 0 {
				f = -f
			}
			if got := gguf.Float16(f); got != want|sign && f != 0 {
				t.Fatalf("%v: %#x, want %#x", f, got, want|sign)
			}
		}
	}
	for h := uint16(0x0400); h < 0x7bff; h++ {
		middle := (float32Of(h) + float32Of(h+1)) / 2
		even := h + h&1
		below, above := math.Nextafter32(middle, 0), math.Nextafter32(middle, math.MaxFloat32)
		if gguf.Float16(middle) != even || gguf.Float16(below) != h || gguf.Float16(above) != h+1 {
			t.Fatalf("around %v: %#x %#x %#x", middle, gguf.Float16(below), gguf.Float16(middle), gguf.Float16(above))
		}
	}
	for f, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, float32(math.Inf(-1)): 0xfc00} {
		if got := gguf.Float16(f); got != want {
			t.Errorf("%v: %#x, want %#x", f, got, want)
		}
	}
	if got := gguf.Float16(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("NaN: %#x", got)
	}
}

// float32Of is the value of a finite binary16 number.
func float32Of(h uint16) float32 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	if exponent == 0 {
		return float32(math.Ldexp(fraction, -24))
	}
	return float32(math.Ldexp(1024+fraction, exponent-25))
}

func TestWrite_alignment(t *testing.T) {
	var b bytes.Buffer
	fill := func(row []float32) {
		for i := range row {
			row[i] = 1
		}
	}
	err := gguf.Write(&b, []gguf.Meta{{Key: "k", Value: "v"}}, []gguf.Tensor{
		{Name: "a", Type: gguf.F16, Columns: 3, Rows: 2, Fill: fill},
		{Name: "b", Type: gguf.F32, Columns: 1, Rows: 1, Fill: fill},
	})
	if err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()[b.Len()-64:] // two tensors of less than 32 bytes
	if binary.LittleEndian.Uint16(data[10:]) != 0x3c00 || data[12] != 0 || math.Float32frombits(binary.LittleEndian.Uint32(data[32:])) != 1 {
		t.Errorf("% x", data)
	}
}
