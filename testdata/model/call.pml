/*
 * The callback of a call (cancel/first.go, native/enter.go, native/inline.go) against the cancels of
 * its token. Run by .ci/model.
 *
 * One Call, and with it one place for a first callback, serves two calls of token 1, which keeps it, and
 * then, when token 1 is closed and used again for another request, one call of token 2. Each
 * token has a canceller, which is slow: it may stop anywhere; token 1's may come back in its next
 * life. A function may stop its own callback, also by a registration that is an older call's.
 *
 * Checked, in every state of every interleaving:
 *   once     a callback starts at most once (C2)
 *   own      only on a cancel of its own token, in that life of it (N4)
 *   never    not where the token was completed or the callback stopped (C3, C5)
 *   joined   none runs, and none starts, when its call has returned (N3)
 *   seen     where the call has seen that its token is cancelled before it leaves, a callback that
 *            nobody stopped has started
 * and that every process ends (no deadlock; -DSAFETY is not set).
 *
 * -DMUTANT=n has a fault that must be found:
 *   1 Cancel's claim is a load and a store        2 register does not look at the state
 *   3 register starts it, whoever has the claim   4 stop does not look at the generation
 *   5 the token keeps its pointer to the place    6 leave does not wait for who has started
 *   7 register looks at the state, then stores    8 Cancel looks at the place, then decides
 *   9 leave's claim is a load and a store         10 leave does not wait for Cancel's look
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define VACANT 0
#define TAKING 1
#define PENDING 2
#define STARTED 3

/* the place: one word */
byte gen; byte phase;
byte f;              /* the callback: the number of its call, 1 to 3 */

/* tokens 1 and 2 */
bool mu[3];
bool cancelled[3]; bool completed[3];
bool first[3];       /* the token's pointer to the place */
byte life[3];

/* callbacks 1 to 3 */
byte starts[4]; bool running[4]; bool stopped[4]; bool returned[4];
byte token[4];       /* whose call it is */
byte lifeOf[4];
byte cancels;        /* that have ended */
bool ended;          /* of the three calls */

#define lock(t)   atomic { !mu[t] -> mu[t] = true }
#define unlock(t) mu[t] = false

/* a callback's goroutine */
proctype callback(byte c) {
	assert(!returned[c]);
	atomic { assert(running[c]); running[c] = false }
}

/* Token.startFirst, with the mutex held; whose is 0 if there is nothing to start */
inline claim(t, whose) {
	whose = 0;
	if
	:: first[t] ->
#if MUTANT == 1
		if
		:: phase == PENDING -> phase = STARTED; whose = f; running[whose] = true
		:: else
		fi
#else
		if
		:: atomic { phase == PENDING -> phase = STARTED; whose = f; running[whose] = true }
		:: atomic { phase != PENDING -> skip }
		fi
#endif
	:: else
	fi
}

inline start(t, c) {
	atomic {
		starts[c]++;
		assert(starts[c] == 1);                                              /* once */
		assert(token[c] == t && lifeOf[c] == life[t] && cancelled[t]);  /* own */
		assert(!completed[t] && !stopped[c]);                                /* never */
		assert(!returned[c]);                                                 /* joined */
		run callback(c)
	}
}

/* Token.Cancel */
proctype canceller(byte t) {
	byte c; bool mine;
	lock(t);
#if MUTANT == 8
	claim(t, c);
#endif
	if
	:: !cancelled[t] && !completed[t] -> cancelled[t] = true; mine = true
	:: else
	fi;
	if
	:: mine ->
#if MUTANT != 8
		claim(t, c);
#endif
		if :: c != 0 -> start(t, c) :: else fi;
		unlock(t)
	:: else -> unlock(t)
	fi;
	cancels++
}

/* Call.OnCancel; r is the registration's generation, 0 if there is none */
inline register(t, c, r) {
	atomic { assert(phase == VACANT); phase = TAKING };
	f = c;
	first[t] = true;
#if MUTANT == 7
	decided = cancelled[t] || completed[t];
#endif
	atomic { phase = PENDING; r = gen };
#if MUTANT == 2
	decided = false;
#elif MUTANT != 7
	decided = cancelled[t] || completed[t];
#endif
	if
	:: decided ->
		lock(t);
		if
		:: completed[t] -> atomic { assert(phase == PENDING); phase = VACANT; gen++; r = 0 }; unlock(t)
		:: else ->
			claim(t, who);
			unlock(t);
#if MUTANT == 3
			start(t, c)
#else
			if :: who != 0 -> start(t, who) :: else fi
#endif
		fi
	:: else
	fi
}

/* Registration.Stop, of generation r */
inline stop(r, c) {
	atomic {
		if
#if MUTANT == 4
		:: phase == PENDING -> assert(f == c); stopped[f] = true; phase = VACANT; gen++
#else
		:: phase == PENDING && gen == r -> assert(f == c); stopped[c] = true; phase = VACANT; gen++
#endif
		:: else
		fi
	}
}

/* Call.leave */
inline leave(t, c) {
#if MUTANT != 10
	if /* FirstCallback.Stop: the word, then the token */
	:: phase == PENDING ->
		if
		:: cancelled[t] -> lock(t); unlock(t); assert(phase == STARTED)
		:: !cancelled[t] -> skip
		fi
	:: phase != PENDING -> skip
	fi;
#endif
#if MUTANT == 9
	who = phase;
	if
	:: who == PENDING -> phase = VACANT; gen++
#else
	if
	:: atomic { phase == PENDING -> phase = VACANT; gen++ }
#endif
	:: atomic { phase == VACANT -> skip }
	:: atomic { phase == STARTED ->
#if MUTANT != 6
		skip }; lock(t); unlock(t); !running[c] && starts[c] == 1; /* on no list: it has ended */
		atomic {
#endif
		phase = VACANT; gen++ }
	fi;
	atomic { returned[c] = true; assert(!running[c]) }
}

inline call(t, c, old) {
	atomic { token[c] = t; lifeOf[c] = life[t] };
	register(t, c, r);
	if
	:: r != 0 && old != 0 -> stop(old, 9) /* stale: nothing of this call */
	:: r != 0 -> stop(r, c)
	:: true
	fi;
	atomic { if :: cancelled[t] && r != 0 && !stopped[c] -> seen = true :: else -> seen = false fi };
	leave(t, c);
	atomic { assert(!seen || starts[c] == 1) };
	old = r
}

proctype calls() {
	byte r; byte old; byte who; bool decided; bool seen;
	call(1, 1, old);
	call(1, 2, old);
	/* the request ends; the token goes on to the next one, the Call elsewhere */
	lock(1);
	if :: !cancelled[1] -> completed[1] = true :: else fi;
#if MUTANT != 5
	first[1] = false;
#endif
	unlock(1);
	/* Reset: who was to cancel that life is done */
	if
	:: cancels >= 1 -> atomic { life[1]++; cancelled[1] = false; completed[1] = false; run canceller(1) }
	:: true -> cancels++
	fi;
	call(2, 3, old);
	ended = true
}

init {
	atomic {
		gen = 1;
		run calls();
		run canceller(1);
		run canceller(2)
	}
}
