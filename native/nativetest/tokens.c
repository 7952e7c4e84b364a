#define _GNU_SOURCE
#include "tokens.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static uint64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int ht_tokens(void *flag, uint64_t n, uint64_t ns, uintptr_t user, void *made) {
	char text[32];
	for (uint64_t i = 0; i < n; i++) {
		uint64_t end = now() + ns;
		do {
			if (atomic_load_explicit((_Atomic uint64_t *)flag, memory_order_acquire))
				return 1;
		} while (now() < end);
		int len = snprintf(text, sizeof text, "token %" PRIu64 " ", i);
		if (htToken(user, text, len))
			return 2;
		if (made)
			atomic_fetch_add_explicit((_Atomic uint64_t *)made, 1, memory_order_release);
	}
	return 0;
}
