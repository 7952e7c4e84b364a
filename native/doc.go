// Package native runs one blocking native call, C or a system call, so that it
// stops when its context is done, and returns only when nothing of it is left.
//
//	out, err := native.Do(ctx, func(c *native.Call) (string, error) {
//		return engine.Infer(prompt, c.Flag().Pointer()) // C polls one word
//	})
//
// The package asks; the C code stops. TestInterrupter of package nativetest tests what you have bound.
//
// # Ways in
//
// How the C code blocks decides what stops it. Each row has a runnable example.
//
//	The C code ...                        The way in                              For example
//	loops, and can read a word            Call.Flag; hangup_cancelled             own kernels, tree-sitter, MuPDF
//	takes an abort callback               PollInt, PollBool, with the Flag        SQLite, FFmpeg, CaDiCaL; llama.cpp
//	... with other parameters or answers  PollCurl, PollTesseract, PollGit2,      libcurl, Tesseract, libgit2, PCRE2,
//	                                      PollPCRE2, PollGDAL, PollMagick,        GDAL, ImageMagick,
//	                                      PollLlamaLoad                           llama.cpp while it loads
//	has a cancel function                 Call.OnCancel, or AddCanceller          a query or job object made per call
//	... that is lost when it is early     Call.AddCanceller: Canceller.Repeat     SQLite's interrupt, DuckDB, Z3, libpq
//	... that sticks when it is late       Call.AddCanceller: Canceller.Reset      ONNX Runtime, libvips, GEOS
//	waits in poll, select or epoll        Call.EventFD                            event loops, curl_multi_poll
//	sleeps, and may sleep on the flag     Call.Flag; hangup_wait: a futex         own thread pools
//	blocks in one system call (Linux)     Call.Interruptible: a signal            flock, FIFO open, read, connect
//	honours deadlines by itself           Call.Flag; hangup_expired               own loops
//	none of these                         Call.AbandonAfter, Handle               a huge product; pthread_mutex_lock
//
// The functions hangup_... are those of hangup.h, see below. Several ways may be used in one call.
//
// An engine that hands out its result bit by bit is a [Stream].
//
// # Guarantees
//
//   - N1 Not started in vain. If the context is done already, the function is
//     never entered.
//   - N2 The truth wins. A call that finished returns its result, cancelled or
//     not; an error of a cancelled call is an [*Error] with both the cause and
//     what the function said. Its [Outcome] is decided once, for error, figures and receipt.
//   - N3 Joined. When Do or Inline returns, no callback of the call runs or will
//     run, and no late cancel can reach its flag.
//   - N4 Only its own call. A cancel never touches another call or the next call
//     on the same handle: the Reset of [Canceller] takes back one that stuck to it.
//   - N5 Not lost. A cancel between arming and entering C is seen: the flag stays
//     set, and the Repeat of [Canceller] repeats an edge until the call returns.
//   - N6 Abandonment is opt-in, bounded and counted. Do waits for the function as
//     long as it takes, unless [Call.AbandonAfter] or [Pool].Grace says otherwise; then
//     it may return [ErrAbandoned], and the call keeps its goroutine, memory and place
//     until C really returns. Its clean-ups run then.
//   - N7 Bounded. A [Pool] bounds the calls inside C, queues more of them first come,
//     first served up to a limit (then [ErrPoolFull]), and drains on Close.
//   - N8 Signals stay inside. The signal of [Call.Interruptible] reaches a thread only
//     while it is inside the function given to that; no handler of the program or of os/signal is disturbed.
//   - N9 Panics and Goexit of the function reach the caller of Do.
//   - N10 Handle lease. A [Handle] shared by calls is not freed while a call or one
//     of its callbacks uses it.
//   - N11 Receipt. A call under [WithTrace] has a [Receipt]: its outcome, and the times from the
//     client's end to Do's return. A call that is not traced pays two loads for it.
//
// # The C side
//
// C code reads the flag's word as it is, by a ready-made callback ([PollInt] and the
// other Poll functions), or with hangup.h, a header for C11 and C++17 to copy next to your code:
//
//	cp "$(go list -m -f '{{.Dir}}' github.com/hangup-go/hangup)/native/hangup.h" .
//
// It has hangup_cancelled, hangup_expired, which looks at the deadline of the call's
// context as well, and hangup_wait, which sleeps until then. C that stops at the deadline returns
// an error of its own, as after a cancel: Do makes it one that matches
// [context.DeadlineExceeded]. Code that waits in poll or epoll has [Call.EventFD], and
// a blocking system call [Call.Interruptible].
//
// # Memory
//
// Who owns what, until when:
//
//   - The flag's word and eventfd are the library's. C may read them until the function
//     has returned, abandoned or not, and until a clean-up of the call has.
//   - What the function alone uses is the function's: a defer frees it.
//   - What callbacks use as well is the call's: a [Call.Cleanup] frees it. After the
//     function has returned a callback may still be running, and after Do has
//     returned ErrAbandoned the function too; a clean-up runs after both.
//   - The result is the caller's once Do has returned it. The result of an abandoned
//     call is nobody's: a clean-up that is told it is late disposes of it.
//   - What calls share is a [Handle]'s. [Handle.Use] leases it to the call, until after
//     the call's clean-ups; Retire and Close free it when the last lease has ended.
//   - What the function captures of Go's is kept from the collector until the function
//     returns. It is shared with the caller then: after ErrAbandoned the caller must not
//     write it.
//
// # Threads
//
// A goroutine that is inside C occupies an operating system thread, and a Go
// program that has 10,000 threads dies. Do takes its goroutines from a set of parked
// ones, starts more as needed, and ends those that are idle. The default pool
// has places for four fifths of the threads that the program may have; a flood
// of blocked calls queues beyond. A server does well to give each engine a Pool of
// a size that suits it.
package native
