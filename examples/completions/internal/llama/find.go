package llama

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Variable is the environment variable that says where llama.cpp is.
const Variable = "HANGUP_LLAMA"

// ErrNoLibrary is matched by the error of an Open that found no llama.cpp.
var ErrNoLibrary = errors.New("llama.cpp is missing: examples/completions/fetch gets it (11 MB, by npm), or -llama or " + Variable + " says where it is")

// linked is set by programs that have llama.cpp inside.
var linked bool

// Linked says that llama.cpp is linked into this program: then no library is
// looked for.
func Linked() { linked = true }

// opened is the path of what was opened: a process has one llama.cpp.
var opened struct {
	sync.Mutex
	done bool
	path string
}

// Open makes llama.cpp ready: the shared library at path or in that directory,
// or if path is empty where the environment says, or where the script fetch has
// put it. Another path than that of the first Open is an error.
func Open(path string) error {
	path, err := locate(path)
	if err != nil {
		return err
	}
	opened.Lock()
	defer opened.Unlock()
	switch {
	case opened.done && opened.path == path:
		return nil
	case opened.done:
		return fmt.Errorf("llama: %s is loaded already, and %s can't be as well", opened.path, path)
	}
	backends := ""
	if path != "" {
		backends = filepath.Dir(path)
	}
	if err := open(path, backends); err != nil {
		return fmt.Errorf("llama: %s: %w", path, err)
	}
	opened.done, opened.path = true, path
	return nil
}

// locate finds the library's file. It is "" for what is linked in: a library beside
// that would find its functions there instead of its own.
func locate(path string) (string, error) {
	if linked && path != "" {
		return "", errors.New("llama.cpp is linked into this program: a library can't be used")
	} else if linked {
		return "", nil
	}
	path = cmp.Or(path, os.Getenv(Variable), fetched())
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w (%w)", ErrNoLibrary, err)
	case info.IsDir():
		return inDirectory(path)
	}
	return filepath.Abs(path)
}

// fetched is where the script puts it.
func fetched() string {
	cache, _ := os.UserCacheDir() // fails without a home: then there is nothing either
	return filepath.Join(cache, "hangup", "llama")
}

// inDirectory finds libllama.so, which may have a version in its name.
func inDirectory(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "libllama.*"))
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if strings.Contains(f, ".so") || strings.HasSuffix(f, ".dylib") {
			return filepath.Abs(f)
		}
	}
	return "", fmt.Errorf("%w (no libllama.so in %s)", ErrNoLibrary, dir)
}
