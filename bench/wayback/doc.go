// Package wayback measures, by stage, the way from a client's leaving into a native call and
// back to its handler, while goroutines keep all processors busy.
//
//	go -C bench test -run xxx -bench Stages/h1/busy4 -benchtime 300x ./wayback
package wayback
