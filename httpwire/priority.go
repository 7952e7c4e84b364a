package httpwire

// SetMonitorPriority has the thread that sets the flags of closed HTTP/1 and HTTP/2 connections
// scheduled by SCHED_FIFO with that priority, 1 to 99, or as usual again if it is 0
// (sched(7)). The thread is one for the process, and is started if need be. It runs for
// microseconds per closed connection, and then goes before everything of a lower
// priority on its processor: on a machine whose processors are all busy a flag is set
// as promptly as on an idle one. It may be called at any time, from any goroutine.
//
// The process needs CAP_SYS_NICE or an RLIMIT_RTPRIO of that priority, else the error
// matches os.ErrPermission. It matches [errors.ErrUnsupported] on systems other than
// Linux and without cgo, where there is no such thread.
func SetMonitorPriority(priority int) error { return setterPriority(priority) }
