// Package elsewhere compiles on Linux only, though nothing says so: .ci/elsewhere
// must reject it for any other system.
package elsewhere

import "syscall"

var Create = syscall.EpollCreate1
