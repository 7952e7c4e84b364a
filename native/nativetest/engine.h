/* A library with a cancel function, of each kind that there is. */
#ifndef HANGUP_ENGINE_H
#define HANGUP_ENGINE_H

#include <stdint.h>

/* What becomes of a cancel that comes when no run is inside. */
enum ht_kind {
	ht_lost,   /* nothing, as nothing runs: PQcancel */
	ht_sticky, /* it stays until it is reset: ONNX Runtime's terminate, CaDiCaL's */
	ht_clears, /* a run clears it as it starts: sqlite3_interrupt, duckdb_interrupt */
};

/* Owned by the caller: ht_engine_free once nobody is inside any of these. One run at a
 * time; cancel from any thread. */
typedef struct ht_engine ht_engine;
ht_engine *ht_engine_new(enum ht_kind kind);
void ht_engine_free(ht_engine *e);

/* Computes until cancelled (1), or for ns (0). Sets *inside to 1 once it is where a cancel
 * is heard, unless inside is NULL. Returns ht_busy if a run is inside: one that
 * was left by unwinding its stack is for good. */
int ht_engine_run(ht_engine *e, uint64_t ns, void *inside);
enum { ht_busy = -1 };

/* The same for a library that reports its progress to a callback in Go, which answers
 * non-zero to stop: htProgress with callback. */
int ht_engine_run_go(ht_engine *e, uintptr_t callback, uint64_t ns, void *inside);

void ht_engine_cancel(ht_engine *e);
void ht_engine_reset(ht_engine *e);

#endif
