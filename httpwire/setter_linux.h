/*
 * The thread that sets the flags of requests whose connection was closed by the
 * client: setter.go says when it may. Linux only.
 */
#ifndef HANGUP_SETTER_H
#define HANGUP_SETTER_H

#include <stdint.h>

/* The state of an entry: generation << 32 and these bits. entry.go has the same. */
enum {
	HANGUP_ARMED = 1,   /* flag may be set. By Go; taken by who sets it, or taken back by Go */
	HANGUP_FIRED = 2,   /* it was set, and is all there is to do */
	HANGUP_SEEN = 4,    /* the connection has ended; nothing is armed any more */
	HANGUP_BUSY = 8,    /* being set: flag's memory is in use */
	HANGUP_WAITING = 16 /* somebody waits for the end of that, by futex */
};

/* One connection, or one request of an HTTP/2 connection: these are chained to the first one, which the
 * connection's events name, and have its generation, which is of no other connection. Allocated by
 * hangup_entry_new and never freed; Go uses it again, with another generation. Aligned to 64. All fields are atomic on both sides. */
typedef struct hangup_entry {
	uint64_t state;
	uint64_t flag;   /* address of a hangup_setter_flag, owned by a token. Go: before ARMED */
	int64_t stamp;   /* when it was set: CLOCK_MONOTONIC, nanoseconds. C: while BUSY */
	uint32_t events; /* of epoll, what it was set for. C: while BUSY */
	uint32_t index;
	uint32_t next; /* of the chain: index + 1, 0: none. By Go; once set, it stays until the connection is closed */
	uint8_t pad[28];
} hangup_entry;

/* The memory of a flag, as in native/hangup.h. */
typedef struct hangup_setter_flag {
	uint64_t word;
	int32_t eventfd; /* descriptor + 1, 0 none; never closed */
	int32_t pad;
	int64_t deadline; /* not ours */
	int64_t set_at;   /* CLOCK_MONOTONIC, nanoseconds: when word was set */
	int32_t pad2[24];
	uint32_t waiters;
} hangup_setter_flag;

/* Entry number index, made if it is not there; NULL if there is no memory for it. Its callers
 * take turns. */
hangup_entry *hangup_entry_new(uint32_t index);

/* What the thread does for an event: data is generation << 32 | index of the first entry. */
void hangup_set_flags(uint64_t data, uint32_t events);

/* Starts the thread, once. It runs as long as the process, with all signals blocked.
 * Returns its epoll descriptor, or minus an errno. */
int hangup_setter_start(void);

/* Schedules the thread, which runs, by SCHED_FIFO, or as usual if priority is 0.
 * Returns an errno. */
int hangup_setter_priority(int priority);

#endif
