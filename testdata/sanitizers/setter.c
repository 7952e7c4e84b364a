/*
 * The thread that sets flags, against Go's part, played here in C as entry.go has it: arms an
 * entry, and one chained to it, with a flag of its own, takes it back, frees the flag, and gives the entry
 * a new generation; the other thread has events for it, late ones too. As it stands both
 * sanitizers accept it. With -DPLAIN Go's part reads the flag as a plain word and
 * ThreadSanitizer must reject it; with -DFREED it does not wait for the thread, and
 * AddressSanitizer must reject it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sched.h>

#include "setter_linux.h"

enum { rounds = 5000 };
static _Atomic uint64_t event; /* the data of the connection that has just ended; 1: no more */

static void *setter(void *unused) {
	(void)unused;
	uint64_t data, before = 0;
	while ((data = atomic_load(&event)) != 1) {
		hangup_set_flags(before, EPOLLRDHUP); /* late */
		hangup_set_flags(data, EPOLLRDHUP | EPOLLHUP);
		before = data;
	}
	return NULL;
}

static int withdraw(hangup_entry *e) {
	for (;;) {
		uint64_t s = __atomic_load_n(&e->state, __ATOMIC_SEQ_CST);
#ifdef FREED
		if (s & HANGUP_FIRED)
			return 1; /* as soon as it is claimed: a chance of 5000 is hit on a busy machine too */
#else
		if (s & HANGUP_ARMED) {
			if (__atomic_compare_exchange_n(&e->state, &s, s & ~(uint64_t)HANGUP_ARMED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
				return 0;
		} else if (s & HANGUP_BUSY) {
			sched_yield();
		} else {
			return (s & HANGUP_FIRED) != 0;
		}
#endif
	}
}

int main(void) {
	pthread_t thread;
	hangup_entry *e = hangup_entry_new(3), *chained = hangup_entry_new(4);
	int fired = 0, missed = 0;
	if (!e || !chained || hangup_entry_new(1u << 31) || pthread_create(&thread, NULL, setter, NULL))
		return 1;
	e->index = 3;
	chained->index = 4;
	__atomic_store_n(&e->next, 5, __ATOMIC_SEQ_CST);
	for (uint64_t g = 1; g <= rounds; g++) {
		hangup_setter_flag *f = calloc(1, sizeof *f);
		if (!f)
			return 1;
		__atomic_store_n(&e->flag, (uint64_t)(uintptr_t)f, __ATOMIC_SEQ_CST);
		hangup_setter_flag *f2 = calloc(1, sizeof *f2);
		if (!f2)
			return 1;
		__atomic_store_n(&chained->flag, (uint64_t)(uintptr_t)f2, __ATOMIC_SEQ_CST);
		__atomic_store_n(&chained->state, g << 32 | HANGUP_ARMED, __ATOMIC_SEQ_CST);
		__atomic_store_n(&e->state, g << 32 | HANGUP_ARMED, __ATOMIC_SEQ_CST);
		atomic_store(&event, g << 32 | 3);
		for (uint64_t n = g % 64; n > 0; n--)
			sched_yield();
#ifdef PLAIN
		int set = f->word != 0;
		withdraw(e);
#else
		int claimed = withdraw(e);
		int set = __atomic_load_n(&f->word, __ATOMIC_SEQ_CST) != 0;
		if (set != claimed)
			missed++;
#endif
		fired += set;
		free(f);
		if (withdraw(chained) != (int)__atomic_load_n(&f2->word, __ATOMIC_SEQ_CST))
			missed++;
		free(f2);
		__atomic_store_n(&e->state, (g + 1) << 32, __ATOMIC_SEQ_CST);
		__atomic_store_n(&chained->state, (g + 1) << 32, __ATOMIC_SEQ_CST);
	}
	atomic_store(&event, 1);
	pthread_join(thread, NULL);
	printf("%d of %d set\n", fired, rounds);
	return missed != 0 || fired == 0 || fired == rounds;
}
