#define _GNU_SOURCE
#include "observer.h"

#include "../../../native/hangup.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>

/* The last events. One writer: at is stored last. */
enum { kept = 1 << 14 };
static struct { uint32_t number; int64_t at; } events[kept];
static uint64_t count;
static int epfd = -1;

static void *observe(void *unused) {
	(void)unused;
	for (;;) {
		struct epoll_event ev[16];
		int n = epoll_wait(epfd, ev, 16, -1);
		int64_t at = hangup_now();
		for (int i = 0; i < n; i++) {
			uint64_t c = __atomic_load_n(&count, __ATOMIC_RELAXED);
			__atomic_store_n(&events[c % kept].at, 0, __ATOMIC_RELEASE);
			__atomic_store_n(&events[c % kept].number, ev[i].data.u32, __ATOMIC_RELEASE);
			__atomic_store_n(&events[c % kept].at, at, __ATOMIC_RELEASE);
			__atomic_store_n(&count, c + 1, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

int bo_start(void) {
	pthread_t thread;
	if ((epfd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return errno;
	int err = pthread_create(&thread, NULL, observe, NULL);
	if (!err)
		pthread_detach(thread);
	return err;
}

int bo_watch(int fd, uint32_t number) {
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u32 = number };
	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) ? errno : 0;
}

int64_t bo_first(uint32_t number, int64_t since) {
	uint64_t end = __atomic_load_n(&count, __ATOMIC_ACQUIRE), c = end;
	int64_t first = 0;
	while (c > 0 && end - c < kept) {
		c--;
		int64_t at = __atomic_load_n(&events[c % kept].at, __ATOMIC_ACQUIRE);
		if (at < since)
			break;
		if (__atomic_load_n(&events[c % kept].number, __ATOMIC_ACQUIRE) == number)
			first = at;
	}
	return first;
}
