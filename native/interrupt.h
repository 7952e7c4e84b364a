/* A section: a stretch of one thread's life in which a signal may free it from a
 * system call. See interrupt.c for the state machine. */
#ifndef HANGUP_INTERRUPT_H
#define HANGUP_INTERRUPT_H

#include <stdint.h>

/* Made by Go, kept for the next call and never freed; off the Go heap. */
typedef struct hangup_section {
	uint32_t word;  /* kickers << 1 | IN */
	int32_t tid;    /* of the thread inside; written before IN */
	uint32_t sent;  /* signals sent, counted by kickers */
	uint32_t acked; /* signals handled, counted by the handler, on the thread inside */
	uint32_t blocked; /* the thread blocked the signal before it entered; the thread's own */
	uintptr_t owner;  /* for Go: where enter writes who has the signal */
	struct hangup_section *outer; /* the thread's next section out; the thread's own */
} hangup_section;

/* The signal to use where nobody has chosen one. 0: not supported here. */
int hangup_default_signal(void);

/* Installs the handler for sig, once per process; calls are serialised by Go.
 * Returns 0 or an errno: EBUSY if the handler *owner, SIG_IGN too,
 * has it; EINVAL if sig is not a real-time signal; EDEADLK if this thread blocks it. */
int hangup_install(int sig, uintptr_t *owner);

/* Says that handler is the Go runtime's: install replaces it, and it is called for
 * every signal that is not ours. */
void hangup_chain(uintptr_t handler);

hangup_section *hangup_section_new(void);

/* The thread enters and leaves, innermost section first; inside it does not block the
 * signal unless it says so there. Enter returns 0, or EBUSY and
 * *owner if the handler is no longer ours: then the thread has not entered. When leave returns, no
 * signal of the section is under way and none will be sent. */
int hangup_section_enter(hangup_section *s, uintptr_t *owner);
void hangup_section_leave(hangup_section *s);

/* Sends the signal to the thread inside, on any thread; nothing if there is none,
 * or if the last signal has not been handled yet. */
void hangup_section_kick(hangup_section *s);

/* For tests: signals sent, handled inside their section, and handled elsewhere. */
void hangup_signal_counts(uint64_t *sent, uint64_t *inside, uint64_t *outside);

#endif
