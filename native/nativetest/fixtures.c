#define _GNU_SOURCE
#include "fixtures.h"

#include "../hangup.h"

#include <poll.h>
#include <stdatomic.h>
#include <time.h>

static uint64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t load(void *word) {
	return atomic_load_explicit((_Atomic uint64_t *)word, memory_order_acquire);
}

static void enter(void *inside) {
	if (inside)
		atomic_store_explicit((_Atomic uint64_t *)inside, 1, memory_order_release);
}

uint64_t ht_read(void *word) { return load(word); }

int ht_spin(void *word, uint64_t ns, void *inside) {
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (load(word))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_slow(void *word, uint64_t every, uint64_t ns, void *inside) {
	uint64_t end = now() + ns, look;
	enter(inside);
	do {
		for (look = now() + every; now() < look;) {}
		if (load(word))
			return 1;
	} while (now() < end);
	return 0;
}

uint64_t ht_seen(void *word, uint64_t ns, void *inside) {
	return ht_spin(word, ns, inside) ? now() : 0;
}

int ht_run_int(int (*poll)(void *), void *user, uint64_t ns, void *inside) {
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (poll(user))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_run_bool(bool (*poll)(void *), void *user, uint64_t ns, void *inside) {
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (poll(user))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_run_curl(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; int (*f)(void *, int64_t, int64_t, int64_t, int64_t); } u = { .p = poll };
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (u.f(user, INT64_MAX, -1, 3, 0))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_run_tesseract(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; bool (*f)(void *, int); } u = { .p = poll };
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (u.f(user, 7))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_run_code(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; int (*f)(void *, void *); } u = { .p = poll };
	uint64_t end = now() + ns;
	enter(inside);
	do {
		int code = u.f(&end, user);
		if (code < 0)
			return code;
	} while (now() < end);
	return 0;
}

int ht_run_gdal(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; int (*f)(double, const char *, void *); } u = { .p = poll };
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (!u.f(0.5, "half done", user))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_run_llama_load(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; bool (*f)(float, void *); } u = { .p = poll };
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (!u.f(0.5f, user))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_run_magick(void *poll, void *user, uint64_t ns, void *inside) {
	union { void *p; unsigned int (*f)(const char *, int64_t, uint64_t, void *); } u = { .p = poll };
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (u.f("blur", 1, UINT64_MAX, user) == 0)
			return 1;
	} while (now() < end);
	return 0;
}

int ht_sleep(void *flag, uint64_t ns, void *inside) {
	uint64_t end = now() + ns, t = now();
	enter(inside);
	for (; t < end; t = now()) {
		if (hangup_wait(flag, (int64_t)(end - t)))
			return 1;
	}
	return 0;
}

uint64_t ht_seen_asleep(void *flag, uint64_t ns, void *inside) {
	return ht_sleep(flag, ns, inside) ? now() : 0;
}

int ht_poll_fd(int fd, uint64_t ns, void *inside) {
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = now() + ns, t = now();
	enter(inside);
	for (; t < end; t = now()) {
		if (poll(&p, 1, (int)((end - t) / 1000000) + 1) > 0)
			return 1;
	}
	return 0;
}

int ht_until_expired(void *flag, uint64_t ns, void *inside) {
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (hangup_expired(flag))
			return 1;
	} while (now() < end);
	return 0;
}

int ht_sleep_until_expired(void *flag, uint64_t ns, void *inside) {
	uint64_t end = now() + ns;
	enter(inside);
	do {
		if (hangup_expired(flag))
			return 1;
		hangup_wait(flag, -1);
	} while (now() < end);
	return 0;
}

int64_t ht_deadline(void *flag) { return hangup_deadline(flag); }

int64_t ht_now(void) { return hangup_now(); }
