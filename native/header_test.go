//go:build cgo

package native_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What a user may do with hangup.h: include it alone, first and twice, and call all of it.
const headerUser = `#include "hangup.h"
#include "hangup.h"
int user(void *flag);
int user(void *flag) {
	int n = hangup_cancelled_relaxed(flag) + hangup_cancelled(flag) + (hangup_deadline(flag) != INT64_MAX);
#if !defined(__STRICT_ANSI__) || defined(_GNU_SOURCE)
	n += hangup_expired(flag) + hangup_wait(flag, -1) + (hangup_now() > 0);
#endif
	return n;
}
`

// hangup.h is self-contained and free of warnings in C11 and C++17, strict or not, where the
// compilers are.
func TestHeader_compiles(t *testing.T) {
	dir, _ := filepath.Abs(".")
	for _, lang := range []struct {
		compiler, name string
		standards      []string
	}{
		{"gcc", "user.c", []string{"c11", "gnu11", "c17"}},
		{"g++", "user.cc", []string{"c++17", "gnu++17", "c++20"}},
		{"clang", "user.c", []string{"c11", "gnu11"}},
	} {
		compiler, err := exec.LookPath(lang.compiler)
		if err != nil {
			t.Logf("no %s here", lang.compiler)
			continue
		}
		file := filepath.Join(t.TempDir(), lang.name)
		if err := os.WriteFile(file, []byte(headerUser), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, std := range lang.standards {
			cmd := exec.Command(compiler, "-std="+std, "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror", "-I"+dir, "-fsyntax-only", file)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", cmd, err, out)
			}
		}
	}
}
