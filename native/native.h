/* The ready-made poll callbacks of package native. */
#ifndef HANGUP_NATIVE_H
#define HANGUP_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* flag: as Flag.Pointer returns it; owned by its call, which outlives the
 * library's use of it. Both read it atomically, on any thread. What else the
 * library passes is not looked at. */
int hangup_poll_int(void *flag);
bool hangup_poll_bool(void *flag);
int hangup_poll_curl(void *flag, int64_t, int64_t, int64_t, int64_t);
bool hangup_poll_tesseract(void *flag, int);
int hangup_poll_git2(const void *, void *flag);
int hangup_poll_pcre2(void *, void *flag);
int hangup_poll_gdal(double, const char *, void *flag);
bool hangup_poll_llama_load(float, void *flag);
unsigned int hangup_poll_magick(const char *, int64_t, uint64_t, void *flag);

/* The functions' own addresses, for Go to pass on. */
enum hangup_poll {
	HANGUP_INT,
	HANGUP_BOOL,
	HANGUP_CURL,
	HANGUP_TESSERACT,
	HANGUP_GIT2,
	HANGUP_PCRE2,
	HANGUP_GDAL,
	HANGUP_LLAMA_LOAD,
	HANGUP_MAGICK,
};
void *hangup_poll_ptr(enum hangup_poll which);

#endif
