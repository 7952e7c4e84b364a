/*
 * The thread that sets the flags of closed connections (httpwire/setter.go and entry.go)
 * against everything in Go that may end the request meanwhile. Run by .ci/model.
 *
 * One connection serves two requests, one after the other, and is then closed; its entry and the slots
 * of flags, one per request, are used again at once: by the second request, and by strangers. The
 * thread has an event for this connection, that it may have fetched at any time, and one
 * that is stale: of the entry's last connection. It is slow: it may stop anywhere.
 *
 * Checked, in every state of every interleaving:
 *   own      a word is set only in a slot of the request that it was lent for (N4)
 *   decided  a watch whose word the thread has set ends as gone, never as completed (C1, C3)
 *   joined   no slot is given back while the thread uses it (N3)
 * and that every process ends (no deadlock; -DSAFETY is not set).
 *
 * -DMUTANT=n has a fault that must be found:
 *   1 withdraw does not wait for the release     2 no generation in the claim
 *   3 the claim is a load and a store             4 withdraw is forgotten at the end
 *   5 found fired, completed all the same         6 lend does not look at last
 *   7 withdraw is a load and a store              8 who finds that another has begun to take back does not look
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define LIVE 0
#define GONE 1
#define COMPLETED 2

/* the entry: one word */
byte gen; bool armed, fired, seen, busy;
byte flag;            /* which slot is lent */

/* slots: 0 and 1 are those that requests get */
byte word[2];         /* 1: set */
byte owner[2];        /* 0 nobody's, n request n, 9 a stranger's */
bool inuse[2];        /* the thread writes to it */

/* requests 1 and 2 */
byte end[3];          /* LIVE, GONE, COMPLETED */
bool last;            /* the last write is under way */
byte whose;              /* whose flag is lent, guarded by mu */
bool over[3];         /* nothing of it is lent any more */
bool islent[3];
byte struckOf[3];     /* the thread has set its word */
byte setters; byte lenders;
bool mu;              /* tcp.mu */
byte cur;
bool finished;

#define lock()   atomic { !mu -> mu = true }
#define unlock() mu = false

/* entry.withdraw, and what withdrawLocked makes of it; mu is held */
inline withdraw() {
	if
	:: whose != 0 ->
#if MUTANT == 7
		was = armed;
		if
		:: was -> armed = false; whose = 0; taken = true
		:: else -> taken = false
		fi;
#else
		if
		:: atomic { armed -> armed = false; whose = 0; taken = true }
		:: atomic { !armed -> taken = false }
		fi;
#endif
		if
		:: taken -> skip
		:: else ->
#if MUTANT != 1
			!busy;           /* futex */
#endif
			if
			:: fired ->
#if MUTANT != 5
				atomic { if :: end[whose] == LIVE -> end[whose] = GONE :: else fi };
#endif
				whose = 0
			:: else -> whose = 0
			fi
		fi
	:: else
	fi
}

/* watch.suspend and watch.withdraw of request r */
inline take_back(r) {
	lock();
	if :: whose == r -> withdraw() :: else fi;
	unlock()
}

/* watch.withdraw: the swap of lent, and what it says */
inline withdraw_for_good(r) {
	atomic {
#if MUTANT == 8
		wasLent = islent[r] && !over[r];
#else
		wasLent = islent[r] || over[r];
#endif
		over[r] = true
	};
	if :: wasLent -> take_back(r) :: else fi
}

/* watch.parentDone, of the context that the server ends: while the handler runs, or later */
proctype parent(byte r) {
	bool taken; bool was; bool wasLent;
	withdraw_for_good(r);
	assert(!(whose == r && (armed || busy))); /* it is Go's alone: what watch.withdraw promises */
	lenders--
}

/* tcp.lend: by a worker, a goroutine of its own */
proctype lender(byte r; byte slot) {
	lock();
	if
	:: atomic { !over[r] && cur == r -> islent[r] = true } ->
		if
#if MUTANT == 6
		:: whose == 0 && end[r] == LIVE && !seen ->
#else
		:: whose == 0 && end[r] == LIVE && !seen && !last ->
#endif
			flag = slot;
			atomic { if :: !seen -> armed = true; whose = r :: else fi }
		:: else
		fi
	:: else
	fi;
	unlock();
	lenders--
}

/* a request's handler: it may write its whole response, and returns. Slots are given out
 * as cancel's slab does: the one that was given back last. */
proctype handler() {
	byte r = 1; byte slot; bool taken; bool was; bool whole; bool wasLent;
	do
	:: r <= 2 ->
		atomic { cur = r; last = false; whole = false };
		/* a slot for the flag */
		atomic {
			if :: owner[0] == 0 -> slot = 0 :: else -> slot = 1 fi;
			assert(owner[slot] == 0 && word[slot] == 0);
			owner[slot] = r
		};
		lenders++; run lender(r, slot);
		if :: r == 1 -> lenders++; run parent(r) :: else fi;
		if
		:: true -> /* the last write */
			last = true;
#if MUTANT == 8
			if :: islent[r] && !over[r] -> take_back(r) :: else fi;
#else
			if :: islent[r] || over[r] -> take_back(r) :: else fi;
#endif
			if
			:: true -> atomic { if :: end[r] == LIVE -> end[r] = COMPLETED; whole = true :: else fi }
			:: true  /* not all of it went out */
			fi;
			last = false;
			if :: !whole && islent[r] && !over[r] && end[r] == LIVE -> lenders++; run lender(r, slot) :: else fi
		:: true
		fi;
		/* finish */
#if MUTANT == 4
		over[r] = true;
#else
		withdraw_for_good(r);
#endif
		atomic { if :: end[r] == LIVE -> end[r] = COMPLETED :: else fi };
		lock(); if :: cur == r -> cur = 0 :: else fi; unlock();
		/* the slot goes back, and on to a stranger or to the next request */
		atomic { assert(!inuse[slot]); word[slot] = 0; owner[slot] = 0 };
		if
		:: atomic { owner[slot] == 0 -> owner[slot] = 9 }
		:: true
		fi;
		r++
	:: else -> break
	od;
	/* the connection is closed, its entry is another's */
	lock();
	withdraw();
	atomic { gen = gen + 1; armed = false; fired = false; seen = false };
	cur = 0;
	unlock();
	/* ... whose request has lent the slot of a stranger, for a client that stays */
	atomic { if :: owner[0] == 9 -> flag = 0; armed = true :: owner[1] == 9 -> flag = 1; armed = true :: else fi };
	finished = true
}

/* the thread: two events, in any order and at any time; data carries the generation */
proctype setter(byte g) {
	byte f; bool mine;
#if MUTANT == 3
	bool a;
	if
	:: gen == g && !seen ->
		a = armed;
		if
		:: a -> armed = false; fired = true; seen = true; busy = true; mine = true
		:: else -> seen = true
		fi
	:: else
	fi;
#else
	atomic {
		if
#if MUTANT == 2
		:: !seen ->
#else
		:: gen == g && !seen ->
#endif
			if
			:: armed -> armed = false; fired = true; seen = true; busy = true; mine = true
			:: else -> seen = true
			fi
		:: else
		fi
	};
#endif
	if
	:: mine ->
		atomic { f = flag; inuse[f] = true };
		atomic {
			assert(g == 1 && owner[f] != 0 && owner[f] != 9);          /* own */
			assert(end[owner[f]] != COMPLETED);               /* decided */
			word[f] = 1; struckOf[owner[f]] = 1
		};
		atomic { inuse[f] = false; busy = false }
	:: else
	fi;
	setters++
}

/* decided, at the end */
proctype judge() {
	finished && setters == 2 && lenders == 0;
	assert(!struckOf[1] || end[1] == GONE);
	assert(!struckOf[2] || end[2] == GONE)
}

init {
	atomic {
		gen = 1;
		run handler();
		run setter(1);  /* the connection's own event */
		run setter(0);  /* of the entry's last connection */
		run judge()
	}
}
