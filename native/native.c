#include "native.h"

#include "hangup.h"

/* The answers that stop, where it is a code that the library hands on. */
enum { git_euser = -7, pcre2_error_callout = -37 };

int hangup_poll_int(void *flag) { return hangup_cancelled(flag); }

bool hangup_poll_bool(void *flag) { return hangup_cancelled(flag); }

int hangup_poll_curl(void *flag, int64_t dltotal, int64_t dlnow, int64_t ultotal, int64_t ulnow) {
	(void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
	return hangup_cancelled(flag);
}

bool hangup_poll_tesseract(void *flag, int words) {
	(void)words;
	return hangup_cancelled(flag);
}

int hangup_poll_git2(const void *progress, void *flag) {
	(void)progress;
	return hangup_cancelled(flag) ? git_euser : 0;
}

int hangup_poll_pcre2(void *block, void *flag) {
	(void)block;
	return hangup_cancelled(flag) ? pcre2_error_callout : 0;
}

int hangup_poll_gdal(double complete, const char *message, void *flag) {
	(void)complete, (void)message;
	return !hangup_cancelled(flag);
}

bool hangup_poll_llama_load(float progress, void *flag) {
	(void)progress;
	return !hangup_cancelled(flag);
}

unsigned int hangup_poll_magick(const char *text, int64_t offset, uint64_t size, void *flag) {
	(void)text, (void)offset, (void)size;
	return !hangup_cancelled(flag);
}

void *hangup_poll_ptr(enum hangup_poll which) {
	/* POSIX lets a function pointer pass through void *; ISO C only through
	 * another type, hence the union. Calling it with the type it was made from
	 * is what the library does. */
	union { void (*f)(void); void *p; } u = { .p = NULL };
	switch (which) {
	case HANGUP_INT: u.f = (void (*)(void))hangup_poll_int; break;
	case HANGUP_BOOL: u.f = (void (*)(void))hangup_poll_bool; break;
	case HANGUP_CURL: u.f = (void (*)(void))hangup_poll_curl; break;
	case HANGUP_TESSERACT: u.f = (void (*)(void))hangup_poll_tesseract; break;
	case HANGUP_GIT2: u.f = (void (*)(void))hangup_poll_git2; break;
	case HANGUP_PCRE2: u.f = (void (*)(void))hangup_poll_pcre2; break;
	case HANGUP_GDAL: u.f = (void (*)(void))hangup_poll_gdal; break;
	case HANGUP_LLAMA_LOAD: u.f = (void (*)(void))hangup_poll_llama_load; break;
	case HANGUP_MAGICK: u.f = (void (*)(void))hangup_poll_magick; break;
	}
	return u.p;
}
