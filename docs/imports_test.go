package docs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hangup-go/hangup"

// allowed lists, for each top-level directory, the packages of this module that
// its packages may import, and the modules beyond the standard library. Test
// files may import anything but examples and bench.
var allowed = map[string]struct {
	own     []string
	modules []string
}{
	"cancel":      {[]string{"internal/goid"}, []string{"golang.org/x/sys"}},
	"native":      {[]string{"cancel", "native", "internal/goid"}, []string{"golang.org/x/sys"}},
	"httpwire":    {[]string{"cancel", "httpwire/internal"}, []string{"golang.org/x/sys", "golang.org/x/net"}},
	"httpwire/h3": {[]string{"cancel", "httpwire"}, []string{"github.com/quic-go/quic-go"}},
	"docs":        {nil, nil},
	"internal":    {nil, nil},

	// Imported by tests only.
	"internal/leaktest":            {nil, []string{"go.uber.org/goleak"}},
	"httpwire/internal/stress":     {[]string{"cancel", "httpwire"}, nil},
	"httpwire/internal/streamtest": {[]string{"httpwire"}, nil},
}

// TestImports_direction: cancel <- native; cancel <- httpwire <- httpwire/h3;
// native and httpwire never meet; nothing imports examples or bench. It reads
// the files themselves, so that it sees every system's.
func TestImports_direction(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(name, ".."+string(filepath.Separator)))
		if d.IsDir() && (rel == "examples" || rel == "bench" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && rel != "..") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(rel, ".go") {
			files++
			checkFile(t, name, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("found only %d Go files: looked in the wrong place", files)
	}
}

func checkFile(t *testing.T, name, rel string) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, spec := range f.Imports {
		imp, _ := strconv.Unquote(spec.Path.Value)
		if why := refuse(rel, imp); why != "" {
			t.Errorf("%s imports %s: %s", rel, imp, why)
		}
	}
}

// refuse says why the file at rel may not import imp.
func refuse(rel, imp string) string {
	own, isOwn := strings.CutPrefix(imp, module+"/")
	if isOwn && (within(own, "examples") || within(own, "bench")) {
		return "nothing imports examples or bench"
	}
	dir := path.Dir(rel)
	if strings.HasSuffix(rel, "_test.go") {
		return ""
	}
	rule, ok := allowed[house(dir)]
	switch {
	case !ok:
		return "this directory has no rule"
	case imp == "C":
		if house(dir) != "native" && rel != "httpwire/setter_linux.go" {
			return "only native and the monitor's thread have C"
		}
	case isOwn:
		if !anyWithin(own, rule.own) {
			return "against the direction of imports"
		}
	case strings.Contains(strings.Split(imp, "/")[0], "."):
		if !anyWithin(imp, rule.modules) {
			return "a dependency without a reason"
		}
	}
	return ""
}

// house returns the rule that dir is under.
func house(dir string) string {
	for _, tests := range []string{"httpwire/internal/stress", "httpwire/internal/streamtest", "internal/leaktest"} {
		if within(dir, tests) {
			return tests
		}
	}
	if within(dir, "httpwire/h3") {
		return "httpwire/h3"
	}
	return strings.Split(dir, "/")[0]
}

func anyWithin(imp string, prefixes []string) bool {
	for _, p := range prefixes {
		if within(imp, p) {
			return true
		}
	}
	return false
}

func within(imp, prefix string) bool {
	return imp == prefix || strings.HasPrefix(imp, prefix+"/")
}

// TestImports_refusesWrong keeps the check itself honest.
func TestImports_refusesWrong(t *testing.T) {
	for _, tt := range []struct {
		rel, imp string
		refused  bool
	}{
		{"cancel/token.go", module + "/native", true},
		{"cancel/token.go", "golang.org/x/sys/unix", false},
		{"cancel/token.go", "github.com/quic-go/quic-go", true},
		{"native/do.go", module + "/cancel", false},
		{"native/do.go", module + "/httpwire", true},
		{"native/do.go", "net/http", false},
		{"native/do_test.go", module + "/httpwire", false},
		{"native/do_test.go", module + "/bench", true},
		{"httpwire/watch.go", module + "/native", true},
		{"httpwire/watch.go", module + "/httpwire/h3", true},
		{"httpwire/watch.go", "github.com/quic-go/quic-go", true},
		{"httpwire/watch.go", "C", true},
		{"httpwire/setter_linux.go", "C", false},
		{"httpwire/h3/conn.go", module + "/httpwire/internal/wire", false},
		{"httpwire/h3/conn.go", module + "/native", true},
		{"httpwire/internal/stress/stress.go", module + "/httpwire", false},
		{"httpwire/internal/wire/wire.go", module + "/httpwire", true},
		{"elsewhere/x.go", "fmt", true},
	} {
		if why := refuse(tt.rel, tt.imp); (why != "") != tt.refused {
			t.Errorf("%s importing %s: refused %v (%s), want %v", tt.rel, tt.imp, why != "", why, tt.refused)
		}
	}
}
