#define _GNU_SOURCE
#include "setter_linux.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(hangup_entry) == 64, "entry.go has the same");
static_assert(offsetof(hangup_setter_flag, set_at) == 24, "package cancel has the same");
static_assert(offsetof(hangup_setter_flag, waiters) == 128, "package cancel has the same");

/* Entries by number: a table of chunks. A chunk is stored once, and stays. */
enum { chunk_entries = 1024, chunks = 16384 };
static hangup_entry *table[chunks];

hangup_entry *hangup_entry_new(uint32_t index) {
	uint32_t at = index / chunk_entries;
	if (at >= chunks)
		return NULL;
	hangup_entry *chunk = table[at]; /* our callers alone write it, in turns */
	if (!chunk) {
		size_t size = chunk_entries * sizeof *chunk;
		if (!(chunk = aligned_alloc(64, size)))
			return NULL;
		memset(chunk, 0, size);
		__atomic_store_n(&table[at], chunk, __ATOMIC_RELEASE);
	}
	return &chunk[index % chunk_entries];
}

static hangup_entry *entry_of(uint32_t index) {
	if (index / chunk_entries >= chunks)
		return NULL;
	hangup_entry *chunk = __atomic_load_n(&table[index / chunk_entries], __ATOMIC_ACQUIRE);
	return chunk ? &chunk[index % chunk_entries] : NULL;
}

static uint32_t *low_half(uint64_t *word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return (uint32_t *)(void *)word + 1;
#else
	return (uint32_t *)(void *)word;
#endif
}

static void wake_all(uint64_t *word) {
	syscall(SYS_futex, low_half(word), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Sets the word and wakes, as cancel's slot.set does. Who is about to sleep, or makes an
 * eventfd, says so before it looks at the word; we look for it after we have set the word. */
static void set(hangup_setter_flag *f) {
	__atomic_store_n(&f->word, 1, __ATOMIC_SEQ_CST);
	int32_t fd = __atomic_load_n(&f->eventfd, __ATOMIC_SEQ_CST);
	if (fd) {
		uint64_t one = 1;
		ssize_t n = write(fd - 1, &one, sizeof one); /* fails only if readable already */
		(void)n;
	}
	if (__atomic_load_n(&f->waiters, __ATOMIC_SEQ_CST))
		wake_all(&f->word);
}

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

enum claim { NO_MORE, UNARMED, CLAIMED };

/* claim takes the flag of an armed entry, or notes the event for later. Each is one swap, which
 * fails for another generation: the event is then of a connection that is no more. */
static enum claim claim(hangup_entry *e, uint32_t generation) {
	uint64_t s = __atomic_load_n(&e->state, __ATOMIC_SEQ_CST);
	for (;;) {
		if (s >> 32 != generation)
			return NO_MORE;
		if (s & HANGUP_SEEN)
			return UNARMED;
		int armed = s & HANGUP_ARMED;
		uint64_t to = armed ? (s & ~(uint64_t)HANGUP_ARMED) | HANGUP_FIRED | HANGUP_SEEN | HANGUP_BUSY
				    : s | HANGUP_SEEN;
		if (__atomic_compare_exchange_n(&e->state, &s, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return armed ? CLAIMED : UNARMED;
	}
}

/* strike sets the flag of an entry that was claimed. Until BUSY is taken away the flag is not given
 * back: Go waits for that. */
static void strike(hangup_entry *e, uint32_t events) {
	hangup_setter_flag *f = (hangup_setter_flag *)(uintptr_t)__atomic_load_n(&e->flag, __ATOMIC_RELAXED);
	int64_t at = now(); /* before: what has seen the word does not end before it was set */
	set(f);
	__atomic_store_n(&f->set_at, at, __ATOMIC_RELAXED);
	__atomic_store_n(&e->stamp, at, __ATOMIC_RELAXED);
	__atomic_store_n(&e->events, events, __ATOMIC_RELAXED);
	uint64_t s = __atomic_fetch_and(&e->state, ~(uint64_t)(HANGUP_BUSY | HANGUP_WAITING), __ATOMIC_ACQ_REL);
	if (s & HANGUP_WAITING)
		wake_all(&e->state); /* by now perhaps another connection's: it looks again */
}

/* The first entry is claimed before the next one is looked up, and Go adds one, arms it and then looks at the
 * first: so one that we do not find is not left armed. An entry of another generation ends the walk: the
 * connection is no more, and who has the entry now goes on elsewhere. */
void hangup_set_flags(uint64_t data, uint32_t events) {
	if (!(events & (EPOLLRDHUP | EPOLLHUP)))
		return;
	hangup_entry *e = entry_of((uint32_t)data);
	while (e) {
		enum claim c = claim(e, (uint32_t)(data >> 32));
		if (c == NO_MORE)
			return;
		if (c == CLAIMED)
			strike(e, events);
		uint32_t next = __atomic_load_n(&e->next, __ATOMIC_SEQ_CST);
		e = next ? entry_of(next - 1) : NULL;
	}
}

static int epoll_fd = -1;
static pthread_t thread;

static void *run(void *unused) {
	struct epoll_event events[128];
	(void)unused;
	prctl(PR_SET_NAME, "hangup-monitor");
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 128, -1);
		if (n < 0 && errno != EINTR)
			return NULL; /* somebody has closed our descriptor: Go's monitor goes on */
		for (int i = 0; i < n; i++)
			hangup_set_flags(events[i].data.u64, events[i].events);
	}
}

/* start_thread starts it with all signals blocked: it inherits the mask. */
static int start_thread(size_t stack) {
	sigset_t all, old;
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);
	if (err)
		return err;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (stack)
		pthread_attr_setstacksize(&attr, stack);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, &attr, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int hangup_setter_start(void) {
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	int err = start_thread(256 << 10);
	if (err == EINVAL)
		err = start_thread(0); /* a program with much thread-local memory */
	if (err) {
		close(epoll_fd);
		return -err;
	}
	return epoll_fd;
}

int hangup_setter_priority(int priority) {
	struct sched_param p = {.sched_priority = priority};
	return pthread_setschedparam(thread, priority ? SCHED_FIFO : SCHED_OTHER, &p);
}
