#include "callback.h"

#include "_cgo_export.h"

uint64_t ht_poll_times(void *poll, void *user, uint64_t n) {
	union { void *p; int (*f)(void *); } u = { .p = poll };
	uint64_t i = 0;
	while (i < n && u.f(user) == 0)
		i++;
	return i;
}

void *ht_go_poll(void) {
	union { int (*f)(void *); void *p; } u = { .f = hangupTestPoll };
	return u.p;
}
