/* A thread that does nothing but wait in epoll, and says when the kernel told of what: what
 * anything in this process could have known at the earliest. */
#ifndef BENCH_OBSERVER_H
#define BENCH_OBSERVER_H

#include <stdint.h>

/* Starts the thread, once. Returns 0 or an errno. */
int bo_start(void);

/* Watches fd, until that is closed, under a number of the caller's. Returns 0 or an errno. */
int bo_watch(int fd, uint32_t number);

/* The first event at or after since that is of number, 0 if there is none among the last ones. */
int64_t bo_first(uint32_t number, int64_t since);

#endif
