/*
 * A call of Do that may be abandoned (native/abandon.go, native/worker.go, native/do.go): its caller, its
 * worker, the cancel, and the callback that tells the caller of it. Run by .ci/model.
 *
 * One Call, with its word and its channel, serves two calls, of two callers, one after the other. The
 * function returns at any moment, and so does the grace end. The function may ask to be abandoned at
 * any moment, also when it has been cancelled; without that the caller waits for it.
 *
 * Checked, in every state of every interleaving:
 *   once     the Call, and with it the call's place, is given back once; a result is received once, or
 *            disposed of by the clean-ups, never both (N6)
 *   own      what comes through the channel is the call's own, and nothing is left in it (N4)
 *   after    the caller, once it has abandoned the call, and the worker, once it has told the caller,
 *            touch the Call no more
 *   joined   the caller is told, and clean-ups run, when no callback runs, and none starts (N3)
 *   asked    nobody is abandoned who has not asked to be, or was not cancelled
 * and that every process ends (no deadlock; -DSAFETY is not set).
 *
 * -DMUTANT=n has a fault that must be found:
 *   1 the caller's swap is a load and a store     2 the worker's swap is a load and a store
 *   3 the worker sends done also when it is late  4 who lost the swap does not wait for done
 *   5 the word is not reset                       6 the worker tells the caller, then joins
 *   7 the callback ends, then tells the caller    8 the worker touches the Call when it has sent done
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define RUNNING 0
#define RETURNED 1
#define ABANDONED 2
#define DONE 10
#define CANCEL 11

/* the Call */
byte user;                      /* the call that has it, 0: the pool */
byte word; bool may;
chan events = [2] of { byte, byte };

/* calls 1 and 2 */
byte tell[3];                   /* the callback that tells: 0 none, 1 pending, 2 running, 3 over or stopped */
bool cancelled[3]; bool received[3]; bool disposed[3]; bool back[3]; bool told[3];
bool mu;                        /* the token's */
#define lock() atomic { !mu -> mu = true }
#define unlock() mu = false

inline touch(n) { assert(user == n) }

inline giveBack(n) {
	atomic {
		touch(n); assert(!back[n] && tell[n] != 1 && tell[n] != 2);   /* once, joined */
		assert(len(events) == 0);                                     /* own */
#if MUTANT != 5
		word = RUNNING;
#endif
		may = false; back[n] = true; user = 0
	}
}

proctype teller(byte n) {
	touch(n);
#if MUTANT == 7
	tell[n] = 3;
#endif
	assert(!told[n]);                                                     /* joined */
	events ! CANCEL, n; /* room for both: nobody waits */
#if MUTANT != 7
	tell[n] = 3
#endif
}

proctype canceller(byte n) {
	lock();
	cancelled[n] = true;
	if
	:: tell[n] == 1 -> tell[n] = 2; run teller(n)
	:: else
	fi;
	unlock()
}

/* Call.AbandonAfter */
inline abandonAfter(n) {
	touch(n);
	may = true;
	lock();
	if
	:: cancelled[n] -> tell[n] = 2; run teller(n)
	:: else -> tell[n] = 1
	fi;
	unlock()
}

inline join(n) {
	lock();
	if
	:: tell[n] == 1 -> tell[n] = 3
	:: else
	fi;
	unlock();
	tell[n] != 2 /* it has ended */
}

proctype worker(byte n) {
	bool late;
	if
	:: abandonAfter(n)
	:: true
	fi;
	/* the function returns */
	touch(n);
#if MUTANT != 6
	join(n);
#endif
	/* abandon.decide */
	if
	:: !may -> late = false
#if MUTANT == 2
	:: may -> late = (word == ABANDONED); word = RETURNED
#else
	:: atomic { may && word == RUNNING -> word = RETURNED; late = false }
	:: atomic { may && word != RUNNING -> late = true }
#endif
	fi;
	/* clean-ups */
	atomic { touch(n); assert(MUTANT == 6 || tell[n] != 1 && tell[n] != 2) };
	if
	:: late ->
		atomic { assert(!received[n]); disposed[n] = true };
#if MUTANT == 3
		events ! DONE, n;
#endif
		giveBack(n)
	:: else ->
		touch(n);
		told[n] = true;
		events ! DONE, n;
#if MUTANT == 6
		join(n);
#endif
#if MUTANT == 8
		touch(n)
#endif
	fi
}

/* Do, waitGrace */
proctype caller(byte n) {
	byte e; byte k; bool left;
	atomic { user == 0 -> user = n; assert(word == RUNNING && !may && len(events) == 0) };
	run worker(n);
	events ? e, k;
	assert(k == n);                                                       /* own */
	if
	:: e == CANCEL ->
		assert(may && cancelled[n]);                                  /* asked */
		if
		:: events ? e, k -> assert(k == n && e == DONE)
		:: true -> /* the grace is over */
			if
#if MUTANT == 1
			:: word == RUNNING -> word = ABANDONED; left = true
#else
			:: atomic { word == RUNNING -> touch(n); word = ABANDONED; left = true }
#endif
			:: word == RETURNED ->
#if MUTANT == 4
				skip
#else
				events ? e, k; assert(k == n && e == DONE)
#endif
			fi
		fi
	:: else
	fi;
	if
	:: !left ->
		atomic { touch(n); assert(!disposed[n] && tell[n] != 1 && tell[n] != 2); received[n] = true };
		giveBack(n)
	:: else
	fi
}

init {
	atomic {
		run caller(1);
		run canceller(1);
		run caller(2);
		run canceller(2)
	}
}
