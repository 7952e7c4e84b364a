/* The ready-made poll callbacks of package native. */
#ifndef HANGUP_NATIVE_H
#define HANGUP_NATIVE_H

#include <stdbool.h>

/* word: the address of a flag, as Flag.Pointer returns it; owned by its call,
 * which outlives the library's use of it. Both read it atomically, any thread. */
int hangup_poll_int(void *word);
bool hangup_poll_bool(void *word);

/* The functions' own addresses, for Go to pass on. */
void *hangup_poll_int_ptr(void);
void *hangup_poll_bool_ptr(void);

#endif
