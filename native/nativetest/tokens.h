/* An engine that hands out tokens by a callback, as LLM libraries do. */
#ifndef HANGUP_TOKENS_H
#define HANGUP_TOKENS_H

#include <stdint.h>

/* Makes n tokens, "token 0 " and so on, of ns of computing each, in which it polls the
 * word at flag: owned by the caller, read atomically until the return. Hands each to
 * htToken with user, and adds 1 to *made, unless made is NULL, once that has returned 0.
 * Returns 0 after the last, 1 when the word was set, 2 when htToken said so. */
int ht_tokens(void *flag, uint64_t n, uint64_t ns, uintptr_t user, void *made);

/* Takes a token: text is the engine's, of len bytes, valid during the call. Non-zero
 * stops. Go has it (tokens.go); user is a cgo.Handle of the taker. */
int htToken(uintptr_t user, char *text, int len);

#endif
