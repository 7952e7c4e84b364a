#ifndef HANGUP_SQLITEDB_HOOK_H
#define HANGUP_SQLITEDB_HOOK_H

typedef struct sqlite3 sqlite3;
typedef int (*hangup_poll)(void *);

/* Makes every sqlite3_open of this process leave its handle for
 * hangup_take_opened. Returns an SQLite result code. Call it once. */
int hangup_watch_opens(void);

/* The handle of the last connection opened on this thread, NULL if none was
 * opened since the last call. */
sqlite3 *hangup_take_opened(void);

/* From here on db asks poll(flag) after every `every` virtual machine
 * instructions; non-zero stops the statement with SQLITE_INTERRUPT. flag must
 * stay valid until hangup_disarm. Same thread rules as any other use of db. */
void hangup_arm(sqlite3 *db, int every, hangup_poll poll, void *flag);
void hangup_disarm(sqlite3 *db);

#endif
