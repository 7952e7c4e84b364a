/* System calls that block for good, by name. */
#ifndef HANGUP_BLOCKING_H
#define HANGUP_BLOCKING_H

/* The name of system call i, NULL past the last. */
const char *ht_blocking_name(int i);

/* Prepares what system call i needs (a lock that somebody else holds, an empty
 * pipe), sets *inside unless it is NULL, makes the system call once, and cleans up.
 * Returns its errno, 0 if it succeeded, or -1 if it could not be prepared. */
int ht_block(int i, void *inside);

/* A mutex that another thread holds until ht_mutex_release. ht_mutex_lock and
 * ht_mutex_wait (for a condition) return once it was released: no signal frees
 * them. Return 0. Global: one test at a time. */
int ht_mutex_hold(void);
int ht_mutex_release(void);
int ht_mutex_lock(void *inside);
int ht_mutex_wait(void *inside);

/* Installs a handler that does nothing. Returns 0 or an errno. */
int ht_handle(int sig);

#endif
