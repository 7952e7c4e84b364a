/*
 * hangup.h: the C side of a flag of github.com/hangup-go/hangup.
 *
 * Self-contained: C11 or C++17, gcc or clang. Copy it next to your code:
 *   cp "$(go list -m -f '{{.Dir}}' github.com/hangup-go/hangup)/native/hangup.h" .
 * What needs a clock or a system call is there
 * unless the compiler is strict (-std=c11 and no _GNU_SOURCE or _DEFAULT_SOURCE
 * before the first include). A flag is what Go's Flag.Pointer returns. It
 * belongs to a Go call: it is valid until the function given to native.Do has
 * returned, and C never frees it. All functions may be called from any thread.
 *
 *   while (work_left()) {
 *           if (hangup_cancelled(flag))
 *                   return STOPPED;
 *           some_work();
 *   }
 */
#ifndef HANGUP_H
#define HANGUP_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The memory behind a flag, the part that is of interest here, aligned to 128. Your code writes nothing of
 * it, but for waiters, in hangup_wait. word is written once, when the call is cancelled. */
typedef struct hangup_flag {
	uint64_t word;     /* 0, then 1 for good */
	int64_t reserved;
	int64_t deadline;  /* CLOCK_MONOTONIC in nanoseconds; 0: none */
	uint8_t pad[104];
	uint32_t waiters;  /* threads in hangup_wait */
} hangup_flag;

/* Whether the call is cancelled. Relaxed: costs what reading a variable costs;
 * says nothing about other memory. */
static inline bool hangup_cancelled_relaxed(const void *flag) {
	return __atomic_load_n(&((const hangup_flag *)flag)->word, __ATOMIC_RELAXED) != 0;
}

/* Whether the call is cancelled. Acquire: once true, all that Go wrote before it
 * cancelled is visible. Costs the same on x86-64. */
static inline bool hangup_cancelled(const void *flag) {
	return __atomic_load_n(&((const hangup_flag *)flag)->word, __ATOMIC_ACQUIRE) != 0;
}

/* The deadline of the call's context, CLOCK_MONOTONIC in nanoseconds; INT64_MAX if it
 * has none. Linux only: elsewhere there is none. */
static inline int64_t hangup_deadline(const void *flag) {
	int64_t d = __atomic_load_n(&((const hangup_flag *)flag)->deadline, __ATOMIC_RELAXED);
	return d != 0 ? d : INT64_MAX;
}

#if !defined(__STRICT_ANSI__) || defined(_GNU_SOURCE) || defined(_DEFAULT_SOURCE)

/* The time now on the clock of deadlines, CLOCK_MONOTONIC, in nanoseconds. */
static inline int64_t hangup_now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whether the call is cancelled or its deadline has passed. It reads the clock,
 * some 20 ns, only where there is a deadline. It does not wait for Go to notice:
 * with all processors busy in Go code that may take a long time. */
static inline bool hangup_expired(const void *flag) {
	if (hangup_cancelled(flag))
		return true;
	int64_t d = hangup_deadline(flag);
	return d != INT64_MAX && hangup_now() >= d;
}

/* Sleeps until the call is cancelled or its deadline has passed, or for timeout
 * nanoseconds; negative: without a limit of its own. Returns whether it is cancelled. It may
 * return false early, as after a signal handler, and does at the deadline: call it in a
 * loop, with hangup_expired. A timeout of 0 is hangup_cancelled. */
static inline bool hangup_wait(void *flag, int64_t timeout) {
	hangup_flag *f = (hangup_flag *)flag;
	int64_t deadline = hangup_deadline(f);
	if (hangup_cancelled(f) || timeout == 0)
		return hangup_cancelled(f);
	if (deadline != INT64_MAX) {
		int64_t left = deadline - hangup_now();
		if (left <= 0)
			return hangup_cancelled(f);
		if (timeout < 0 || timeout > left)
			timeout = left;
	}
#if defined(__linux__) && defined(SYS_futex)
	/* The kernel's old timespec, of two longs: the C library's may be larger on 32 bits. */
	struct { long sec, nsec; } t;
	int64_t sec = timeout / 1000000000;
	t.sec = sec > 0x7fffffff ? 0x7fffffff : (long)sec;
	t.nsec = (long)(timeout % 1000000000);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	uint32_t *low = (uint32_t *)(void *)&f->word + 1;
#else
	uint32_t *low = (uint32_t *)(void *)&f->word;
#endif
	/* Go stores the word and then loads waiters; we add ourselves and then the
	 * kernel looks at the word. One of the two sees the other. */
	__atomic_fetch_add(&f->waiters, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, low, FUTEX_WAIT_PRIVATE, 0, timeout < 0 ? (void *)0 : (void *)&t, (void *)0, 0);
	__atomic_fetch_sub(&f->waiters, 1, __ATOMIC_SEQ_CST);
#else
	struct timespec t = {0, 0};
	t.tv_nsec = timeout < 0 || timeout > 1000000 ? 1000000 : (long)timeout; /* no futex: look once a millisecond */
	nanosleep(&t, (struct timespec *)0);
#endif
	return hangup_cancelled(f);
}

#endif /* not strict */

#ifdef __cplusplus
}
#endif

#endif /* HANGUP_H */
