// Package native runs one blocking native call, C or a system call, so that it
// stops when its context is done, and returns only when nothing of it is left.
//
//	out, err := native.Do(ctx, func(c *native.Call) (string, error) {
//		return engine.Infer(prompt, c.Flag().Pointer()) // C polls one word
//	})
//
// The package asks; the C code stops. It offers C the word behind [Call.Flag],
// ready-made callbacks that read that word ([PollInt], [PollBool]), Go
// callbacks for libraries with a cancel function ([Call.OnCancel],
// [Call.OnCancelRepeat]), and for what blocks in one system call a signal
// ([Call.Interruptible]).
//
// # Guarantees
//
//   - N1 Not started in vain. If the context is done already, the function is
//     never entered.
//   - N2 The truth wins. A call that finished returns its result, cancelled or
//     not; an error of a cancelled call is an [*Error] with both the cause and
//     what the function said.
//   - N3 Joined. When Do or Inline returns, no callback of the call runs or will
//     run, and no late cancel can reach its flag.
//   - N4 Only its own call. A cancel never touches another call or the next call
//     on the same handle.
//   - N5 Not lost. A cancel between arming and entering C is seen: the flag stays
//     set, and OnCancelRepeat repeats an edge until the call returns.
//   - N8 Signals stay inside. The signal of [Call.Interruptible] reaches a thread only
//     while it is inside the function given to that; no handler of the program or of os/signal is disturbed.
//   - N9 Panics and Goexit of the function reach the caller of Do.
//
// # Threads
//
// A goroutine that is inside C occupies an operating system thread. Do takes
// its goroutines from a set of parked ones and starts more as needed; it does
// not bound them. A Go program that has 10,000 threads dies, so a server should
// bound what it admits.
package native
