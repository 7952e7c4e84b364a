/*
 * Threads block in poll inside sections while others kick them as fast as they
 * can: every one is freed, and no signal is handled outside. The sanitizers
 * accept that. With -DFREED a section is freed while somebody may still kick it, and
 * AddressSanitizer must reject it: this is why Go joins its kickers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "interrupt.h"

enum { SLEEPERS = 2, KICKERS = 2, ROUNDS = 2000 };

static hangup_section *sections[SLEEPERS];
static int over;

static void *sleeper(void *arg) {
	hangup_section *s = *(hangup_section **)arg;
	uintptr_t owner;
	for (int i = 0; i < ROUNDS; i++) {
		if (hangup_section_enter(s, &owner))
			return "no section";
		/* Lost kicks are repeated: this ends. (ThreadSanitizer handles a signal at once
		 * in poll, and keeps it back in read.) */
		if (poll(NULL, 0, -1) != -1 || errno != EINTR)
			return "not interrupted";
		hangup_section_leave(s);
		if (__atomic_load_n(&s->word, __ATOMIC_ACQUIRE) != 0 || s->sent != s->acked)
			return "left with a signal under way";
	}
#ifdef FREED
	free(s);
#endif
	return NULL;
}

static void *kicker(void *unused) {
	(void)unused;
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		for (int i = 0; i < SLEEPERS; i++)
			hangup_section_kick(sections[i]);
	return NULL;
}

int main(void) {
	pthread_t sleepers[SLEEPERS], kickers[KICKERS];
	uint64_t sent, inside, outside;
	uintptr_t owner;
	int failed = hangup_install(hangup_default_signal(), &owner);
	for (int i = 0; i < SLEEPERS; i++)
		sections[i] = hangup_section_new();
	for (int i = 0; i < SLEEPERS; i++)
		failed |= pthread_create(&sleepers[i], NULL, sleeper, &sections[i]);
	for (int i = 0; i < KICKERS; i++)
		failed |= pthread_create(&kickers[i], NULL, kicker, NULL);
	if (failed)
		return 1;
	for (int i = 0; i < SLEEPERS; i++) {
		void *why;
		pthread_join(sleepers[i], &why);
		if (why) {
			fprintf(stderr, "sleeper %d: %s\n", i, (char *)why);
			return 1;
		}
	}
#ifdef FREED
	usleep(100000); /* the kickers go on for a while */
#endif
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < KICKERS; i++)
		pthread_join(kickers[i], NULL);
	hangup_signal_counts(&sent, &inside, &outside);
	if (sent != inside || outside != 0 || inside < SLEEPERS * ROUNDS) {
		fprintf(stderr, "%lu signals sent, %lu handled inside, %lu outside\n",
			(unsigned long)sent, (unsigned long)inside, (unsigned long)outside);
		return 1;
	}
	return 0;
}
