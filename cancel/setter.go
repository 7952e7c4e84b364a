package cancel

// A FlagSetter sets the flag of a token ahead of the token's own Cancel: a thread
// in C, for example, that waits for the event that will cancel the token, and need
// not wait for a goroutine to run. It writes the word of the flag's memory, and
// wakes as [Token.Cancel] does.
//
// Token and setter agree on one decision (C1): the setter sets the word of a live
// token only where the token will be cancelled for certain. It takes itself back,
// or finds that it has set the word, before anybody completes, closes, or cancels
// the token for another reason. What asks a token in between, Cancelled, Cause,
// Err and Done, finds the word set, and calls FlagSet before it answers.
type FlagSetter interface {
	// FlagMade is called once, by the first call of Flag, before it returns, with
	// no lock held. The flag's memory is valid until the token is closed and its
	// last borrow released.
	FlagMade(f Flag)

	// FlagSet is called when the word was found set and the token live. If the
	// setter has set it, FlagSet returns when the token is cancelled. If not, the word
	// was of a flag that has been given back, and FlagSet does nothing. It is called with
	// no lock of the token's held, from any goroutine, also late.
	FlagSet()
}

// SetFlagSetter makes s the setter of t's flag. It is for t's owner, before
// anybody else uses t, and holds until Reset.
func (t *Token) SetFlagSetter(s FlagSetter) { t.setter = s }

// ahead reports whether t is cancelled, where its setter may have set the word and
// nobody has told t yet.
func (t *Token) ahead() bool {
	if s := t.slot.Load(); s == nil || s.word.Load() == 0 || t.state.Load()&decided != 0 {
		return t.state.Load()&cancelled != 0
	}
	t.setter.FlagSet()
	return t.state.Load()&cancelled != 0
}
