// Package bench measures hangup end to end: from the client's hang-up to the
// native call having returned, by protocol, beside what a plain handler's
// r.Context() takes.
//
//	go test -bench Hangup -benchtime 1000x ./bench
package bench
