package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Read reads a file of Results.
func Read(name string) (*Results, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := new(Results)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s is no file of results: %w", name, err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("%s has format %d: this program reads %d", name, r.Format, Format)
	}
	if len(r.Latency)+len(r.Calls)+len(r.Polls)+len(r.Cancels)+len(r.Requests)+len(r.Waste)+len(r.Counts) == 0 {
		return nil, fmt.Errorf("%s has no measurements", name)
	}
	return r, nil
}

// JSON is what the file has.
func (r *Results) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "\t")
	return append(b, '\n'), err
}

// Files are to be written together.
type Files map[string][]byte

// Write writes the files into dir, which it makes, all or, as far as can be, none: each is written beside its place first. A
// file has the old content or the new.
func (f Files) Write(dir string) (err error) {
	var made []string
	defer func() {
		for _, name := range made {
			_ = os.Remove(name)
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range f {
		tmp := filepath.Join(dir, "."+name+".new")
		made = append(made, tmp)
		if err := os.WriteFile(tmp, content, 0o644); err != nil {
			return err
		}
	}
	for name := range f {
		if err := os.Rename(filepath.Join(dir, "."+name+".new"), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// CheckDir says if files can't be written into dir, or a dir be made. It leaves nothing behind.
func CheckDir(dir string) error {
	f, err := os.CreateTemp(dir, ".writable")
	if up := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && up != dir {
		return CheckDir(up)
	}
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}
