/* C code that blocks in the ways real libraries do, for tests and benchmarks. */
#ifndef HANGUP_FIXTURES_H
#define HANGUP_FIXTURES_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the word once and returns it: the cheapest native call there is. */
uint64_t ht_read(void *word);

/* Computes until *word is set (returns 1) or for ns nanoseconds (returns 0).
 * Sets *inside to 1 once it has entered, unless inside is NULL. */
int ht_spin(void *word, uint64_t ns, void *inside);

/* The same, but looks at the word once in every nanoseconds, as a library does that polls
 * between passes (whisper.cpp). */
int ht_slow(void *word, uint64_t every, uint64_t ns, void *inside);

/* ht_spin, but returns the time by CLOCK_MONOTONIC at which *word was seen set, in
 * nanoseconds, or 0. */
uint64_t ht_seen(void *word, uint64_t ns, void *inside);

/* The same for a library that takes an abort callback. */
int ht_run_int(int (*poll)(void *), void *user, uint64_t ns, void *inside);
int ht_run_bool(bool (*poll)(void *), void *user, uint64_t ns, void *inside);

/* The same for libraries whose callbacks have other parameters and answers: they
 * stop by the library's own convention, and return what it would: 0 at the end
 * of ns; else, where the callback's answer is a code, that, and otherwise 1. */
int ht_run_curl(void *poll, void *user, uint64_t ns, void *inside);
int ht_run_tesseract(void *poll, void *user, uint64_t ns, void *inside);
int ht_run_code(void *poll, void *user, uint64_t ns, void *inside); /* libgit2, PCRE2 */
int ht_run_gdal(void *poll, void *user, uint64_t ns, void *inside);
int ht_run_llama_load(void *poll, void *user, uint64_t ns, void *inside);
int ht_run_magick(void *poll, void *user, uint64_t ns, void *inside);

/* Sleeps with hangup_wait until the flag is set (1), or for ns (0). */
int ht_sleep(void *flag, uint64_t ns, void *inside);

/* The same, but returns the time as ht_seen. */
uint64_t ht_seen_asleep(void *flag, uint64_t ns, void *inside);

/* Waits in poll(2) until fd is readable (1), or for ns (0). */
int ht_poll_fd(int fd, uint64_t ns, void *inside);

/* Computes until hangup_expired says so (1), or for ns (0). */
int ht_until_expired(void *flag, uint64_t ns, void *inside);

/* Sleeps with hangup_wait, without a limit, until hangup_expired says so (1), or for ns (0). */
int ht_sleep_until_expired(void *flag, uint64_t ns, void *inside);

/* hangup_deadline and hangup_now. */
int64_t ht_deadline(void *flag);
int64_t ht_now(void);

#endif
