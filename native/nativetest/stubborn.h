/* A call that ignores every cancel, and memory for it to use. */
#ifndef HANGUP_STUBBORN_H
#define HANGUP_STUBBORN_H

#include <stdint.h>

/* Memory from malloc. Owned by the caller: ht_block_free once nobody reads it. */
typedef struct ht_block ht_block;
ht_block *ht_block_new(void);
void ht_block_free(ht_block *b);

/* Reads b again and again until *until is set, at intervals of some 50 µs, for ns at
 * most. Sets *inside to 1 once it has read b, unless inside is NULL. Returns the sum
 * of b's last reading: ht_block_sum, unless somebody has written to it. */
int ht_stubborn(ht_block *b, void *until, uint64_t ns, void *inside);
enum { ht_block_sum = 64 };

#endif
