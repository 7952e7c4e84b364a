#include "native.h"

#include <stdatomic.h>
#include <stdint.h>

/* Acquire: what the canceller wrote before it set the flag is visible to the
 * library that stops because of it. It costs the same as a plain load on amd64. */
static uint64_t load(void *word) {
	return atomic_load_explicit((_Atomic uint64_t *)word, memory_order_acquire);
}

int hangup_poll_int(void *word) { return load(word) != 0; }
bool hangup_poll_bool(void *word) { return load(word) != 0; }

/* POSIX lets a function pointer pass through void *; ISO C only through another
 * type, hence the unions. */
void *hangup_poll_int_ptr(void) {
	union { int (*f)(void *); void *p; } u = { .f = hangup_poll_int };
	return u.p;
}

void *hangup_poll_bool_ptr(void) {
	union { bool (*f)(void *); void *p; } u = { .f = hangup_poll_bool };
	return u.p;
}
