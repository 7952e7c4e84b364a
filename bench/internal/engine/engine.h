/* A native engine whose every step is known: C that waits or computes until it is
 * cancelled, in the ways real libraries do, and says when. */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdint.h>

/* When a run came to what, by CLOCK_MONOTONIC in nanoseconds; 0: it has not. Owned by
 * the caller, who may read them while the run is inside. */
typedef struct {
	int64_t started;  /* inside, where a cancel is heard */
	int64_t seen;     /* saw that it is cancelled */
} be_marks;

/* The word that an engine with a cancel function of its own has: what hangup_wait and
 * hangup_cancelled can read. Freed by be_word_free when nobody is inside. */
void *be_word_new(void);
void be_word_free(void *word);
void be_word_reset(void *word);

/* The engine's cancel function: sets the word, reads the clock, wakes who sleeps on it.
 * Returns the time. From any thread. */
int64_t be_cancel(void *word);

/* Each runs until it is cancelled (1), or for ns (0). */
int be_wait(void *flag, int64_t ns, be_marks *m);                  /* sleeps on the flag */
int be_fd(int fd, int64_t ns, be_marks *m);                        /* sleeps in poll(2) */
int be_read(int fd, be_marks *m);                                  /* one read(2), until a signal (1) */

/* Looks once in every (be_callback, if ns is 0: once, and no more), at the flag or by an int (*)(void *); sleeps or computes in between. If it
 * computes, ns are of its thread's processor time. */
int be_poll(void *flag, int64_t every, int compute, int64_t ns, be_marks *m);
int be_callback(void *poll, void *user, int64_t every, int compute, int64_t ns, be_marks *m);

/* Reads the word once: the cheapest native call. */
uint64_t be_look(void *flag);

/* be_callback's, calling into Go. */
void *be_go_poll(void);

#endif
