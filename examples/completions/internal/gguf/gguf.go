// Package gguf writes model files in llama.cpp's format, GGUF version 3.
//
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Alignment of each tensor's data in the file; the default of the format.
const alignment = 32

// The format's numbers for types of values.
const (
	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeBool    = 7
	typeString  = 8
	typeArray   = 9
)

// A Meta is one key and its value: a uint32, float32, bool or string, or a slice
// of int32, float32 or string.
type Meta struct {
	Key   string
	Value any
}

// A Type is how a tensor's elements are stored.
type Type uint32

// The types that this package writes.
const (
	F32 Type = 0
	F16 Type = 1
)

func (t Type) size() int { return 4 >> t }

// A Tensor has rows of so many columns; one row makes it a vector.
type Tensor struct {
	Name    string
	Type    Type
	Columns int
	Rows    int
	Fill    func(row []float32) // makes the next row; called once for each
}

func (t Tensor) bytes() int { return t.Columns * t.Rows * t.Type.size() }

// Write writes a file with this content.
func Write(to io.Writer, meta []Meta, tensors []Tensor) error {
	w := &writer{Writer: bufio.NewWriterSize(to, 1<<20)}
	w.raw("GGUF")
	w.put(uint32(3), uint64(len(tensors)), uint64(len(meta)))
	for _, m := range meta {
		w.string(m.Key)
		w.value(m.Value)
	}
	offset := 0
	for _, t := range tensors {
		w.info(t, offset)
		offset += padded(t.bytes())
	}
	w.pad()
	for _, t := range tensors {
		w.data(t)
		w.pad()
	}
	return w.Flush() // a bufio.Writer repeats its first error
}

func padded(n int) int { return (n + alignment - 1) / alignment * alignment }

// A writer knows where in the file it is. What goes wrong shows in Flush.
type writer struct {
	*bufio.Writer
	at  int
	buf []byte
}

func (w *writer) raw(s string) {
	n, _ := w.WriteString(s)
	w.at += n
}

// put writes numbers and booleans, little endian.
func (w *writer) put(values ...any) {
	for _, v := range values {
		w.buf, _ = binary.Append(w.buf[:0], binary.LittleEndian, v) // fails for types without a size only
		n, _ := w.Write(w.buf)
		w.at += n
	}
}

func (w *writer) string(s string) {
	w.put(uint64(len(s)))
	w.raw(s)
}

func (w *writer) pad() {
	for w.at%alignment != 0 {
		w.put(uint8(0))
	}
}

func (w *writer) value(v any) {
	switch v := v.(type) {
	case uint32:
		w.put(uint32(typeUint32), v)
	case float32:
		w.put(uint32(typeFloat32), v)
	case bool:
		w.put(uint32(typeBool), v)
	case string:
		w.put(uint32(typeString))
		w.string(v)
	case []int32:
		w.put(uint32(typeArray), uint32(typeInt32), uint64(len(v)), v)
	case []float32:
		w.put(uint32(typeArray), uint32(typeFloat32), uint64(len(v)), v)
	case []string:
		w.put(uint32(typeArray), uint32(typeString), uint64(len(v)))
		for _, s := range v {
			w.string(s)
		}
	default:
		panic(fmt.Sprintf("gguf: a value of type %T", v))
	}
}

// info describes a tensor. The first dimension is that of neighbours in memory.
func (w *writer) info(t Tensor, offset int) {
	w.string(t.Name)
	if t.Rows == 1 {
		w.put(uint32(1), uint64(t.Columns))
	} else {
		w.put(uint32(2), uint64(t.Columns), uint64(t.Rows))
	}
	w.put(uint32(t.Type), uint64(offset))
}

func (w *writer) data(t Tensor) {
	row, half := make([]float32, t.Columns), make([]uint16, t.Columns)
	for range t.Rows {
		t.Fill(row)
		if t.Type == F32 {
			w.put(row)
			continue
		}
		for i, f := range row {
			half[i] = float16(f)
		}
		w.put(half)
	}
}
