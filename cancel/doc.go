// Package cancel decides, once, whether a piece of work is cancelled or
// completed, and tells everybody who asked: a word that C can read, a Done
// channel, callbacks.
//
// It is the kernel of hangup: it knows neither HTTP nor cgo, imports the
// standard library and golang.org/x/sys only, and builds with CGO_ENABLED=0.
//
// # Guarantees
//
//   - C1 Decided once. A [Token] is live, then cancelled (with a cause) or
//     completed. The first decision wins; later ones report that they lost.
//   - C2 At most once. Each registered callback starts at most once, ever.
//   - C3 Never on completion. Once Complete has won, no callback starts.
//   - C4 Late registration. Registering on a cancelled token runs the callback
//     at once, on a goroutine of its own; on a completed or closed one, never.
//   - C5 Two ways out. [Registration.Stop] says whether it prevented the
//     callback and does not wait. [Registration.StopAndWait] returns only when
//     the callback is not running and never will; called from inside the
//     callback itself it returns at once.
//   - C6 Flag first. The flag word is set, and its eventfd made readable and its
//     futex waiters woken, inside Cancel, before Done is closed and before any
//     callback starts. (The C side is native/hangup.h.)
//   - C7 Isolation. Each callback has a goroutine of its own. A slow, blocked or
//     panicking one delays no other; its panic reaches the goroutine that waits
//     in StopAndWait or Drain, with its stack.
//   - C8 Idle is free. A live token costs no goroutine; registering and stopping
//     allocate nothing in steady state.
//
// # Invariants of the implementation
//
//  1. One mutex per token, a leaf: nothing is called with it held that blocks,
//     takes another lock of this package other than the slab's, or runs
//     foreign code.
//  2. The decision bits of Token.state change once, with the mutex held. They
//     are read without it.
//  3. Token.cause is written before the decision is published and never again.
//  4. A node belongs to one token from OnCancel until it is recycled, and is
//     recycled only under that token's mutex, which advances its generation. So
//     a Registration whose generation matches, under the mutex, owns its node.
//  5. A slot's word and descriptor are written only under the mutex of the token that
//     holds it, or by that token's [FlagSetter], and it goes back to the slab only when the
//     token is closed and not borrowed.
//  6. What a token keeps ([Kept]) is lent to one borrower at a time, by a bit of Token.state
//     that comes and goes with the borrow; it goes back where the slot does.
package cancel
