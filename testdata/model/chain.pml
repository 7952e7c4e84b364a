/*
 * The thread that sets flags on an HTTP/2 connection (httpwire/setter.go and entry.go): it walks the chain of the
 * connection's entries while requests lend, take back, and chain one more. setter.pml has the rest, of one entry.
 *
 * One connection, generation 1, has two streams at a time; one of them serves two requests. Then its entries go to another one,
 * generation 2, in the other order, whose client stays. The thread has the event of the first connection, and
 * one of a connection long ago that had the same first entry; it may stop anywhere.
 *
 * Checked, in every state of every interleaving:
 *   own      a word is set only in a slot of the request that it was lent for (N4)
 *   decided  a watch whose word was set ends as gone, never as completed (C1, C3)
 *   joined   no slot is given back while the thread uses it (N3)
 *   missed   what is lent when the walk is over is not left unset (C6)
 * and that every process ends.
 *
 * -DMUTANT=n has a fault that must be found:
 *   1 lend does not look whether the first entry was seen   2 the walk goes on into another generation
 *   3 generations are not one connection's alone            4 the walk looks for the next entry before it claims one
 *   5 withdraw does not wait for the release                6 an entry is chained after that look
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define LIVE 0
#define GONE 1
#define COMPLETED 2

byte gen[2]; bool armed[2], fired[2], seen[2], busy[2];
byte flag[2]; byte next[2];  /* index + 1 */
bool idle[2];                /* of the chain, nobody's */
bool chained;

byte word[3]; byte owner[3]; /* 0 nobody's, n request n, 9 a stranger's */
bool inuse[3];
byte end[4]; bool struck[4];
bool mu, walked; byte streams, walks; bool finished;

#define lock()   atomic { !mu -> mu = true }
#define unlock() mu = false

/* entry.withdraw; mu is held */
inline withdraw(e) {
	if
	:: atomic { armed[e] -> armed[e] = false; taken = true }
	:: atomic { !armed[e] -> taken = false }
	fi;
	if
	:: taken -> skip
	:: else ->
#if MUTANT != 5
		!busy[e]
#else
		skip
#endif
	fi
}

/* setting.lend; lent is whether it has */
inline lend(r) {
	lock();
	lent = true;
	if
	:: idle[0] -> e = 0
	:: !idle[0] && idle[1] -> e = 1
	:: else ->
		e = 1;
		gen[1] = gen[0];
#if MUTANT != 6
		next[0] = 2;
#endif
		chained = true
	fi;
	idle[e] = false;
	flag[e] = slot;
	atomic { if :: seen[e] -> lent = false :: else -> armed[e] = true fi };
#if MUTANT != 1
	if
	:: lent && seen[0] -> withdraw(e); if :: taken -> lent = false :: else fi
	:: else
	fi;
#endif
#if MUTANT == 6
	next[0] = (chained -> 2 : 0);
#endif
	if
	:: lent
	:: else ->
		idle[e] = true;
		atomic { if :: end[r] == LIVE -> end[r] = GONE :: else fi } /* the state of the connection says so */
	fi;
	unlock()
}

inline take_back(r) {
	lock();
	was = walked;
	withdraw(e);
	assert(!(taken && was));  /* missed */
	if
	:: !taken && fired[e] -> atomic { if :: end[r] == LIVE -> end[r] = GONE :: else fi }
	:: else
	fi;
	idle[e] = true;
	unlock()
}

/* a request: it may be over at any time, by its handler or by our own reset */
inline request(r) {
	atomic {
		if :: owner[0] == 0 -> slot = 0 :: owner[0] != 0 && owner[1] == 0 -> slot = 1 :: else -> slot = 2 fi;
		assert(owner[slot] == 0 && word[slot] == 0);
		owner[slot] = r
	};
	lend(r);
	if :: lent -> take_back(r) :: else fi;
	atomic { if :: end[r] == LIVE -> end[r] = COMPLETED :: else fi };
	atomic { assert(!inuse[slot]); word[slot] = 0; owner[slot] = 0 };
	if
	:: atomic { owner[slot] == 0 -> owner[slot] = 9 }
	:: true
	fi
}

proctype stream(byte r; bool twice) {
	byte slot; byte e; bool taken; bool was; bool lent;
	request(r);
	if :: twice -> request(3) :: else fi;
	streams--
}

/* the connection is closed when its handlers have returned; its entries go on */
proctype closer() {
	byte other;
	streams == 0;
	gen[0] = 0; atomic { fired[0] = false; seen[0] = false }; next[0] = 0;
	gen[1] = 0; atomic { fired[1] = false; seen[1] = false };
	/* another one has them, and lends slots of strangers */
#if MUTANT == 3
	other = 1;
#else
	other = 2;
#endif
	atomic { if :: owner[0] == 0 -> owner[0] = 9 :: else fi; if :: owner[1] == 0 -> owner[1] = 9 :: else fi };
	gen[1] = other; flag[1] = 0; armed[1] = true;
	gen[0] = other; next[1] = 1; flag[0] = 1; armed[0] = true;
	finished = true
}

proctype walk(byte g) {
	byte e = 0; byte f; byte n; bool mine; bool more = true;
	do
	:: more ->
#if MUTANT == 4
		n = next[e];
#endif
		mine = false;
		atomic {
			if
#if MUTANT == 2
			:: gen[e] != g && e == 0 -> more = false
#else
			:: gen[e] != g -> more = false
#endif
			:: else ->
				if
				:: seen[e]
				:: !seen[e] && armed[e] -> armed[e] = false; fired[e] = true; seen[e] = true; busy[e] = true; mine = true
				:: else -> seen[e] = true
				fi
			fi
		};
		if
		:: mine ->
			atomic { f = flag[e]; inuse[f] = true };
			atomic {
				assert(g == 1 && owner[f] != 0 && owner[f] != 9);  /* own */
				assert(end[owner[f]] != COMPLETED);                /* decided */
				word[f] = 1; struck[owner[f]] = true
			};
			atomic { inuse[f] = false; busy[e] = false }
		:: else
		fi;
		if
		:: more ->
#if MUTANT != 4
			n = next[e];
#endif
			if :: n == 0 -> more = false :: else -> e = n - 1 fi
		:: else
		fi
	:: else -> break
	od;
	if :: g == 1 -> walked = true :: else fi;
	walks++
}

proctype judge() {
	finished && walks == 2;
	assert(!struck[1] || end[1] == GONE);
	assert(!struck[2] || end[2] == GONE);
	assert(!struck[3] || end[3] == GONE)
}

init {
	atomic {
		gen[0] = 1; idle[0] = true;
		streams = 2;
		run stream(1, false);
		run stream(2, true);
		run closer();
		run walk(1);
		run walk(9);  /* of a connection long ago */
		run judge()
	}
}
