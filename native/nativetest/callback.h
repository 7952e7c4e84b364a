/* A loop that does nothing but poll, for benchmarks of the poll itself. */
#ifndef HANGUP_CALLBACK_H
#define HANGUP_CALLBACK_H

#include <stdint.h>

/* Calls poll, an int (*)(void *), with user n times, or until it answers other than 0;
 * returns how often. */
uint64_t ht_poll_times(void *poll, void *user, uint64_t n);

/* A poll that is a Go function: what a binding without the flag has. */
void *ht_go_poll(void);

#endif
