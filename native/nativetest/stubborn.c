#define _GNU_SOURCE
#include "stubborn.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ht_block {
	volatile unsigned char bytes[ht_block_sum];
};

ht_block *ht_block_new(void) {
	ht_block *b = malloc(sizeof *b);
	if (b)
		memset((void *)b->bytes, 1, sizeof b->bytes);
	return b;
}

void ht_block_free(ht_block *b) {
	if (b)
		memset((void *)b->bytes, 0, sizeof b->bytes); /* seen without a sanitizer too */
	free(b);
}

static int sum(ht_block *b) {
	int s = 0;
	for (int i = 0; i < ht_block_sum; i++)
		s += b->bytes[i];
	return s;
}

static uint64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int ht_stubborn(ht_block *b, void *until, uint64_t ns, void *inside) {
	const struct timespec pause = { .tv_nsec = 50000 };
	uint64_t end = now() + ns;
	int s;
	for (;;) {
		int last = atomic_load_explicit((_Atomic uint64_t *)until, memory_order_acquire) != 0 || now() > end;
		s = sum(b);
		if (inside)
			atomic_store_explicit((_Atomic uint64_t *)inside, 1, memory_order_release);
		if (last)
			return s;
		nanosleep(&pause, NULL);
	}
}
