#include "spin.h"

#include <time.h>

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t hangup_spin(int64_t ns, const int64_t *flag, int *stopped) {
	const int64_t start = now();
	volatile uint64_t sink;
	uint64_t x = 88172645463325252u;
	int64_t passed = 0;

	*stopped = 0;
	while (passed < ns) {
		for (int i = 0; i < 256; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		sink = x;
		if (__atomic_load_n(flag, __ATOMIC_ACQUIRE) != 0) {
			*stopped = 1;
			return now() - start;
		}
		passed = now() - start;
	}
	(void)sink;
	return passed;
}
