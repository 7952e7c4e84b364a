/*
 * The callback of a call that has its token alone (cancel/first.go, native/enter.go, native/inline.go)
 * against the cancels of the token. Run by .ci/model.
 *
 * Three calls of a request, one after the other, then, when the token has been reset, one call of another
 * request. Each may register a callback, and stop it; the second ends by two swaps (StopFirst, then
 * ReleaseKept), the others by one. A goroutine beside them stops a callback of any of them, at any time,
 * perhaps when it is an older call's, or one of the token's life before. Canceller and completer may
 * stop anywhere, but not beyond that life; the next one has a canceller of its own.
 *
 * Not in the model: who registers while the call ends, against the rules; OnCancel with the mutex; a FlagSetter.
 *
 * Checked, in every state of every interleaving:
 *   once     a callback starts at most once (C2)
 *   own      only on a cancel of its token, in that life of it (N4)
 *   never    not where the token was completed or the callback stopped (C3, C5)
 *   joined   none runs, and none starts, when its call has returned (N3)
 *   seen     where the call has seen that its token is cancelled, a callback that nobody stopped
 *            starts, also if the call does not leave before
 *   vacant   a call finds the place of its callback vacant
 * and that every process ends (no deadlock; -DSAFETY is not set).
 *
 * -DMUTANT=n has a fault that must be found:
 *   1 a claim leaves the callback in its place      2 register does not look at the state
 *   3 register starts it, whoever has the claim     4 stop does not look at the number
 *   5 a loan does not clear the dead place          6 leave does not wait for who has started
 *   7 register looks at the state, then writes      8 Cancel looks at the place, then decides
 *   9 the swap that ends a loan is a load and a store   10 leave does not wait for Cancel's look
 *  11 Reset leaves the number                      12 Cancel starts what was stopped
 *  13 stop is a load and a store                   14 StopFirst clears the place, then swaps
 */
#ifndef MUTANT
#define MUTANT 0
#endif

/* the state: one word */
#define CANCELLED 1
#define COMPLETED 2
#define LENT 4
#define STOPPED 8
#define NUMBER 16
byte state;
#define number(s) ((s) / NUMBER)
#define place(s) (number(s) % 2)

/* the two places: nil, a callback, or taken */
#define NIL 0
#define TAKEN 9
byte f[2];

bool mu;
#define lock() atomic { !mu -> mu = true }
#define unlock() mu = false

/* callbacks 1 to 4, by call */
byte starts[5]; bool running[5]; bool stopped[5]; bool returned[5];
byte lifeOf[5];
byte numberOf[5];    /* 0: not registered */
byte life; bool ended;
byte decides;        /* cancellers and completers that have ended */

/* a callback's goroutine */
proctype callback(byte c) {
	assert(!returned[c]);
	atomic { assert(running[c]); running[c] = false }
}

/* Token.claimFirst, with the mutex held; whose is 0 if there is nothing to start */
inline claim(whose, st) {
	st = state;
	whose = f[place(st)];
	if
#if MUTANT == 12
	:: (st & CANCELLED) && whose != NIL && whose != TAKEN ->
#elif MUTANT == 8
	:: !(st & STOPPED) && whose != NIL && whose != TAKEN ->
#else
	:: (st & CANCELLED) && !(st & STOPPED) && whose != NIL && whose != TAKEN ->
#endif
		atomic {
#if MUTANT != 1
			f[place(st)] = TAKEN;
#endif
			running[whose] = true
		}
	:: else -> whose = 0
	fi
}

inline start(c) {
	atomic {
		starts[c]++;
		assert(starts[c] == 1);                                  /* once */
		assert(lifeOf[c] == life && (state & CANCELLED));        /* own */
		assert(!(state & COMPLETED) && !stopped[c]);             /* never */
		assert(!returned[c]);                                    /* joined */
		run callback(c)
	}
}

/* Token.Cancel */
proctype canceller() {
	byte c; byte st; bool mine;
	lock();
#if MUTANT == 8
	claim(c, st);
#endif
	if
	:: !(state & (CANCELLED | COMPLETED)) -> state = state | CANCELLED; mine = true
	:: else
	fi;
	if
	:: mine ->
#if MUTANT != 8
		claim(c, st);
#endif
		skip
	:: else
	fi;
	unlock();
	if :: c != 0 -> start(c) :: else fi;
	atomic { c = 0; st = 0; decides++ }
}

/* Token.Complete */
proctype completer() {
	lock();
	if
	:: !(state & (CANCELLED | COMPLETED)) -> state = state | COMPLETED
	:: else
	fi;
	unlock();
	decides++
}

/* Token.OnCancelFirst */
inline register(c) {
	s = state;
	if
	:: s & (CANCELLED | COMPLETED | STOPPED) -> skip /* OnCancel serves */
	:: else ->
#if MUTANT == 7
		s2 = state;
#endif
		atomic { assert(f[place(s)] == NIL); f[place(s)] = c }; /* vacant */
#if MUTANT != 7
		s2 = state;
#endif
#if MUTANT != 2
		if
		:: s2 & (CANCELLED | COMPLETED) ->
			lock(); claim(who, s2); unlock();
#if MUTANT == 3
			if :: state & CANCELLED -> start(c) :: else fi
#else
			if :: who != 0 -> start(who) :: else fi
#endif
		:: else
		fi;
#endif
		numberOf[c] = number(s) + 1
	fi
}

/* Registration.Stop; by is whose registration it is */
inline stop(by, st) {
	do
	:: st = state;
		if
#if MUTANT == 4
		:: !(st & (CANCELLED | COMPLETED | STOPPED)) && f[place(st)] != NIL ->
#else
		:: number(st) + 1 == numberOf[by] && !(st & (CANCELLED | COMPLETED | STOPPED)) ->
#endif
			if
#if MUTANT == 13
			:: true -> state = st | STOPPED; stopped[by] = true; break
#else
			:: atomic { state == st -> state = st | STOPPED; stopped[by] = true;
				assert(starts[by] == 0 && f[place(st)] == by && lifeOf[by] == life) }; break
			:: atomic { state != st -> skip }
#endif
			fi
		:: else -> break
		fi
	od
}

/* somebody who has a registration, of any call */
proctype stopper() {
	byte st; byte by;
	if
	:: numberOf[1] != 0 -> by = 1
	:: numberOf[2] != 0 -> by = 2
	:: numberOf[3] != 0 -> by = 3
	:: numberOf[4] != 0 -> by = 4
	:: ended
	fi;
	if
	:: by != 0 -> stop(by, st)
	:: else
	fi
}

/* StopFirst, where keep is LENT, and ReleaseKept; done says whether it did what it says */
inline endFirst(keep) {
	s = state;
	if
	:: f[place(s)] == NIL ->
		state = state & (255 - LENT + keep);
		done = true
	:: else ->
#if MUTANT == 14
		if :: keep != 0 && !(state & CANCELLED) -> f[place(s)] = NIL :: else fi;
#endif
		do
		:: s = state;
			if
			:: s & CANCELLED -> done = false; break
			:: else ->
				if
#if MUTANT == 9
				:: true -> state = (s & (255 - LENT - STOPPED + keep)) + NUMBER; done = true; break
#else
				:: atomic { state == s -> state = (s & (255 - LENT - STOPPED + keep)) + NUMBER }; done = true; break
				:: atomic { state != s -> skip }
#endif
				fi
			fi
		od;
		if
		:: done && keep != 0 -> f[place(s)] = NIL
		:: else
		fi
	fi
}

/* FirstStarted, the join, ForgetFirst */
inline join(c) {
#if MUTANT != 10
	lock(); claim(who, s2); unlock();
	if :: who != 0 -> start(who) :: else fi;
#endif
	s = state;
	if
	:: f[place(s)] == TAKEN ->
#if MUTANT != 6
		lock(); unlock(); !running[c] && starts[c] == 1 /* on no list: it has ended */
#else
		skip
#endif
	:: else
	fi;
	f[place(s)] = NIL
}

inline call(c) {
	atomic { assert(!(state & LENT)); state = state | LENT; lifeOf[c] = life; s = state };
#if MUTANT != 5
	f[1 - place(s)] = NIL;
#endif
	if
	:: register(c)
	:: true
	fi;
	if
	:: numberOf[c] != 0 -> stop(c, s)
	:: true
	fi;
	atomic { seen = (state & CANCELLED) && numberOf[c] != 0 && !stopped[c] };
	if
	:: seen -> starts[c] == 1 /* C has been told, and returns for that */
	:: true
	fi;
	if
	:: c == 2 -> endFirst(LENT); if :: done -> endFirst(0) :: else fi /* Do's */
	:: c != 2 -> endFirst(0)
	fi;
	if
	:: !done -> join(c); endFirst(0); assert(done)
	:: else
	fi;
	atomic { returned[c] = true; assert(!running[c] && !(state & LENT)); assert(!seen || starts[c] == 1);
		s = 0; s2 = 0; who = 0; seen = false; done = false }
}

proctype calls() {
	byte s; byte s2; byte who; bool seen; bool done;
	call(1);
	call(2);
	call(3);
	/* Close and Reset: who was to decide that life is done */
	if
	:: decides == 2 ->
		atomic {
			assert(!mu);
#if MUTANT == 11
			state = number(state) * NUMBER;
#else
			state = (number(state) + 1) * NUMBER;
#endif
			f[0] = NIL; f[1] = NIL;
			life++;
			run canceller()
		};
		call(4)
	:: true
	fi;
	ended = true
}

init {
	atomic {
		run calls();
		run canceller();
		run completer();
		run stopper()
	}
}
