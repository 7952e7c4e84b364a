#include "polls.h"

#include <stdlib.h>
#include <time.h>

hangup_polls *hangup_polls_new(bool (*poll)(void *), int64_t capacity) {
	hangup_polls *p = calloc(1, sizeof *p + (size_t)capacity * sizeof p->at[0]);
	p->poll = poll;
	p->capacity = capacity;
	p->word = aligned_alloc(64, 64);
	*p->word = 0;
	return p;
}

void hangup_polls_free(hangup_polls *p) {
	free(p->word);
	free(p);
}

void hangup_polls_reset(hangup_polls *p, int64_t trip) {
	p->trip = trip;
	p->asked = 0;
	__atomic_store_n(p->word, 0, __ATOMIC_RELEASE);
}

void hangup_polls_set(hangup_polls *p) { __atomic_store_n(p->word, 1, __ATOMIC_RELEASE); }

bool hangup_polls_ask(void *data) {
	hangup_polls *p = data;
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* the time that others had is not the engine's */
	if (p->asked < p->capacity)
		p->at[p->asked] = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (++p->asked == p->trip)
		hangup_polls_set(p);
	return p->poll(p->word);
}
