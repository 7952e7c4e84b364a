package httpwire

import "syscall"

// The numbers of winsock2.h that package syscall does not name.
const (
	wsaETIMEDOUT    = syscall.Errno(10060)
	wsaEHOSTUNREACH = syscall.Errno(10065)
	wsaENETUNREACH  = syscall.Errno(10051)
)

var (
	errReset       = []error{syscall.WSAECONNRESET, syscall.WSAECONNABORTED}
	errPipe        = []error{syscall.EPIPE}
	errTimedOut    = []error{wsaETIMEDOUT}
	errUnreachable = []error{wsaEHOSTUNREACH, wsaENETUNREACH}
)
