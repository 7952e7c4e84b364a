#include "hook.h"

#include <stddef.h>

/* go-sqlite3 compiles SQLite into its own package and exports no header. These
 * are weak so that cgo's trial link of this package alone succeeds; in the
 * program they are go-sqlite3's. */
extern __attribute__((weak)) int sqlite3_auto_extension(void (*entry)(void));
extern __attribute__((weak)) void sqlite3_progress_handler(sqlite3 *, int, hangup_poll, void *);

/* One open at a time happens on a thread, so a word per thread is enough. */
static _Thread_local sqlite3 *opened;

/* SQLite calls it at the end of every open with the new handle. */
static int note_open(sqlite3 *db, const char **err, const void *api) {
	(void)err;
	(void)api;
	opened = db;
	return 0;
}

int hangup_watch_opens(void) {
	/* sqlite3.h gives the parameter the type void(*)(void) and calls it as
	 * above. */
	union {
		int (*real)(sqlite3 *, const char **, const void *);
		void (*declared)(void);
	} entry = {.real = note_open};
	return sqlite3_auto_extension(entry.declared);
}

sqlite3 *hangup_take_opened(void) {
	sqlite3 *db = opened;
	opened = NULL;
	return db;
}

void hangup_arm(sqlite3 *db, int every, hangup_poll poll, void *flag) {
	sqlite3_progress_handler(db, every, poll, flag);
}

void hangup_disarm(sqlite3 *db) {
	sqlite3_progress_handler(db, 0, NULL, NULL);
}
