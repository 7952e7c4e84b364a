#ifndef HANGUP_LLAMATEST_POLLS_H
#define HANGUP_LLAMATEST_POLLS_H

#include <stdbool.h>
#include <stdint.h>

/* An abort callback that passes each question on to poll(word), and before that
 * notes when it was asked, and sets the word itself at question number trip.
 * Used by one thread at a time. */
typedef struct {
	bool (*poll)(void *);
	int64_t *word;
	int64_t trip, asked, capacity;
	int64_t at[]; /* nanoseconds of processor time */
} hangup_polls;

hangup_polls *hangup_polls_new(bool (*poll)(void *), int64_t capacity);
void hangup_polls_free(hangup_polls *);
void hangup_polls_reset(hangup_polls *, int64_t trip);
void hangup_polls_set(hangup_polls *);
bool hangup_polls_ask(void *);

#endif
