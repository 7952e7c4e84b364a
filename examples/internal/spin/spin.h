#ifndef HANGUP_SPIN_H
#define HANGUP_SPIN_H

#include <stdint.h>

/* Computes until ns nanoseconds of the monotonic clock have passed, or *flag is
 * no longer 0. Returns the nanoseconds that passed; *stopped says which it was. */
int64_t hangup_spin(int64_t ns, const int64_t *flag, int *stopped);

#endif
