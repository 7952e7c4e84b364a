#define _GNU_SOURCE
#include "engine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { idle, running, interrupted };

struct ht_engine {
	enum ht_kind kind;
	_Atomic int state;     /* ht_lost: of the run */
	_Atomic int cancelled; /* the others: the mark */
	_Atomic int busy;
};

ht_engine *ht_engine_new(enum ht_kind kind) {
	ht_engine *e = calloc(1, sizeof *e);
	if (e)
		e->kind = kind;
	return e;
}

void ht_engine_free(ht_engine *e) { free(e); }

static uint64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int heard(ht_engine *e) {
	return e->kind == ht_lost ? atomic_load(&e->state) == interrupted : atomic_load(&e->cancelled);
}

static int run(ht_engine *e, int (*progress)(uintptr_t), uintptr_t callback, uint64_t ns, void *inside) {
	uint64_t end = now() + ns;
	int stopped = 0;
	if (atomic_exchange(&e->busy, 1))
		return ht_busy;
	if (e->kind == ht_clears)
		atomic_store(&e->cancelled, 0);
	atomic_store(&e->state, running);
	if (inside)
		atomic_store_explicit((_Atomic uint64_t *)inside, 1, memory_order_release);
	do {
		stopped = heard(e) || (progress && progress(callback));
	} while (!stopped && now() < end);
	atomic_store(&e->state, idle);
	atomic_store(&e->busy, 0);
	return stopped;
}

int ht_engine_run(ht_engine *e, uint64_t ns, void *inside) { return run(e, NULL, 0, ns, inside); }

extern int htProgress(uintptr_t callback); /* engine.go's */

int ht_engine_run_go(ht_engine *e, uintptr_t callback, uint64_t ns, void *inside) {
	return run(e, htProgress, callback, ns, inside);
}

void ht_engine_cancel(ht_engine *e) {
	int from = running;
	if (e->kind == ht_lost)
		atomic_compare_exchange_strong(&e->state, &from, interrupted);
	else
		atomic_store(&e->cancelled, 1);
}

void ht_engine_reset(ht_engine *e) { atomic_store(&e->cancelled, 0); }
