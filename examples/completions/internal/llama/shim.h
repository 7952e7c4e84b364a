#ifndef HANGUP_LLAMA_SHIM_H
#define HANGUP_LLAMA_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of llama.cpp that a server needs, found at run time: in a shared
 * library, or in the program itself. */

typedef struct llama_model llama_model;
typedef struct llama_context llama_context;
typedef struct llama_sampler llama_sampler;
typedef bool (*hangup_abort)(void *);

/* Finds the functions in the library at path, which stays loaded, or in this
 * program if path is NULL, and the processor's kernels in the directory
 * backends, unless that is NULL. Returns 0, or -1 with the reason in error.
 * It must have returned 0 before anything else here is called. */
int hangup_llama_open(const char *path, const char *backends, char *error, size_t size);

/* Loads a GGUF file. NULL: the reason is in error. */
llama_model *hangup_llama_load(const char *file, char *error, size_t size);
void hangup_llama_free_model(llama_model *);

/* A context is used by one thread at a time. A prompt is decoded in batches of
 * ubatch tokens; the abort callback is called between the steps of each. */
llama_context *hangup_llama_new(llama_model *, uint32_t tokens, uint32_t ubatch, int32_t threads);
void hangup_llama_free(llama_context *);
uint32_t hangup_llama_size(llama_context *);

/* From here on abort(data) is asked, and true stops a decode. data must stay
 * valid until the next call; with a NULL abort nothing is asked. */
void hangup_llama_arm(llama_context *, hangup_abort abort, void *data);

/* Computes n tokens behind those that are in the context. Returns 0; 1 if the
 * context is full; 2 if it was aborted, with some of them done; less than 0
 * for an error. */
int32_t hangup_llama_decode(llama_context *, int32_t *tokens, int32_t n);

/* Forgets all tokens. */
void hangup_llama_clear(llama_context *);

/* Samplers choose the token that follows the last one that was decoded: the
 * likeliest if temperature is not above 0. */
llama_sampler *hangup_llama_new_sampler(float temperature, uint32_t seed);
void hangup_llama_free_sampler(llama_sampler *);
int32_t hangup_llama_sample(llama_sampler *, llama_context *);

/* Write up to size tokens or bytes. Return how many there are, negative if they
 * do not fit. special: the text may have the names of control tokens. */
int32_t hangup_llama_tokenize(const llama_model *, const char *text, int32_t length, int32_t *tokens, int32_t size, bool special);
int32_t hangup_llama_piece(const llama_model *, int32_t token, char *text, int32_t size);

/* Whether an answer ends with this token. */
bool hangup_llama_ends(const llama_model *, int32_t token);

/* Writes n messages as the model's chat template has them, and the beginning of
 * an answer: up to size bytes. Returns how many there are, negative if llama.cpp
 * does not know the template. */
typedef struct {
	const char *role, *content;
} hangup_message;
int32_t hangup_llama_chat(const llama_model *, const hangup_message *, size_t n, char *text, int32_t size);

#endif
