/*
 * One thread polls a flag through hangup's ready-made callbacks until another
 * sets it. As it stands, ThreadSanitizer accepts it. With -DPLAIN the flag is a
 * plain word and it must be rejected; with -DFREED the flag is freed while it is
 * polled and AddressSanitizer must reject it. .ci/sanitize does all of that: a
 * sanitizer that accepts everything checks nothing.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "native.h"

static void *word;
static int published; /* written before the flag is set, read after it was seen */

static int poll(void) {
#ifdef PLAIN
	return *(volatile uint64_t *)word != 0;
#else
	return hangup_poll_int(word) && hangup_poll_bool(word);
#endif
}

static void *engine(void *unused) {
	(void)unused;
	while (!poll()) {
	}
	return published == 42 ? word : NULL;
}

int main(void) {
	pthread_t thread;
	void *seen;
	word = calloc(1, 64);
	if (!word || pthread_create(&thread, NULL, engine, NULL))
		return 1;
	published = 42;
#ifdef FREED
	free(word);
	pthread_join(thread, &seen);
	return 0;
#elif defined PLAIN
	*(volatile uint64_t *)word = 1;
#else
	atomic_store((_Atomic uint64_t *)word, 1);
#endif
	pthread_join(thread, &seen);
	if (!seen) {
		fputs("the flag was seen before what it publishes\n", stderr);
		return 1;
	}
	free(word);
	return 0;
}
