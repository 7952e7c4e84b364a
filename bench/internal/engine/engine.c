#define _GNU_SOURCE
#include "engine.h"

#include "../../../native/hangup.h"
#include "_cgo_export.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static void start(be_marks *m) { __atomic_store_n(&m->started, hangup_now(), __ATOMIC_RELEASE); }

static int saw(be_marks *m) {
	__atomic_store_n(&m->seen, hangup_now(), __ATOMIC_RELEASE);
	return 1;
}

static void pass(int64_t ns, int compute) {
	struct timespec t = { ns / 1000000000, ns % 1000000000 };
	if (!compute) {
		nanosleep(&t, NULL);
		return;
	}
	for (int64_t end = hangup_now() + ns; hangup_now() < end;) {}
}

void *be_word_new(void) {
	void *word = aligned_alloc(128, sizeof(hangup_flag) + 128 - sizeof(hangup_flag) % 128);
	if (!word)
		abort();
	be_word_reset(word);
	return word;
}

void be_word_free(void *word) { free(word); }

void be_word_reset(void *word) { memset(word, 0, sizeof(hangup_flag)); }

int64_t be_cancel(void *word) {
	hangup_flag *f = word;
	__atomic_store_n(&f->word, 1, __ATOMIC_SEQ_CST);
	int64_t at = hangup_now();
	if (__atomic_load_n(&f->waiters, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &f->word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	return at;
}

int be_wait(void *flag, int64_t ns, be_marks *m) {
	int64_t end = hangup_now() + ns;
	start(m);
	for (int64_t t = hangup_now(); t < end; t = hangup_now()) {
		if (hangup_wait(flag, end - t))
			return saw(m);
	}
	return 0;
}

/* The clock that a run's end is on: a thread that computes has its work by the processor time it got. */
static int64_t work_clock(int compute) {
	struct timespec t;
	clock_gettime(compute ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int be_poll(void *flag, int64_t every, int compute, int64_t ns, be_marks *m) {
	int64_t end = work_clock(compute) + ns;
	start(m);
	do {
		if (hangup_cancelled(flag))
			return saw(m);
		pass(every, compute);
	} while (work_clock(compute) < end);
	return 0;
}

int be_callback(void *poll, void *user, int64_t every, int compute, int64_t ns, be_marks *m) {
	union { void *p; int (*f)(void *); } u = { .p = poll };
	if (!ns)
		return u.f(user) != 0;
	int64_t end = work_clock(compute) + ns;
	start(m);
	do {
		if (u.f(user))
			return saw(m);
		pass(every, compute);
	} while (work_clock(compute) < end);
	return 0;
}

int be_fd(int fd, int64_t ns, be_marks *m) {
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end = hangup_now() + ns;
	start(m);
	for (int64_t t = hangup_now(); t < end; t = hangup_now()) {
		if (poll(&p, 1, (int)((end - t) / 1000000) + 1) > 0)
			return saw(m);
	}
	return 0;
}

int be_read(int fd, be_marks *m) {
	char c;
	start(m);
	return read(fd, &c, 1) < 0 ? saw(m) : 0;
}

uint64_t be_look(void *flag) { return hangup_cancelled(flag); }

void *be_go_poll(void) {
	union { int (*f)(void *); void *p; } u = { .f = benchGoPoll };
	return u.p;
}
