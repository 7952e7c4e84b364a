#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* llama.cpp's parameters, by value, with room to spare: which fields there are,
 * and where, differs between versions; the first three of a context's have been
 * at their place for long. A larger structure is passed in the same way, and
 * the callee takes what it knows of it. */
typedef struct {
	uint64_t opaque[64];
} model_params;

typedef struct {
	uint32_t n_ctx, n_batch, n_ubatch, opaque;
	uint64_t more[62];
} context_params;

typedef struct {
	uint64_t opaque[16];
} batch;

typedef struct {
	bool no_perf;
} sampler_params;

typedef struct llama_vocab llama_vocab;
typedef struct llama_memory *llama_memory;

/* Result, name, parameters. */
#define FUNCTIONS(X) \
	X(void, log_set, (void (*)(int, const char *, void *), void *)) \
	X(void, backend_init, (void)) \
	X(model_params, model_default_params, (void)) \
	X(llama_model *, model_load_from_file, (const char *, model_params)) \
	X(void, model_free, (llama_model *)) \
	X(const llama_vocab *, model_get_vocab, (const llama_model *)) \
	X(const char *, model_chat_template, (const llama_model *, const char *)) \
	X(context_params, context_default_params, (void)) \
	X(llama_context *, init_from_model, (llama_model *, context_params)) \
	X(void, free, (llama_context *)) \
	X(uint32_t, n_ctx, (const llama_context *)) \
	X(void, set_n_threads, (llama_context *, int32_t, int32_t)) \
	X(void, set_abort_callback, (llama_context *, hangup_abort, void *)) \
	X(batch, batch_get_one, (int32_t *, int32_t)) \
	X(int32_t, decode, (llama_context *, batch)) \
	X(llama_memory, get_memory, (const llama_context *)) \
	X(void, memory_clear, (llama_memory, bool)) \
	X(sampler_params, sampler_chain_default_params, (void)) \
	X(llama_sampler *, sampler_chain_init, (sampler_params)) \
	X(void, sampler_chain_add, (llama_sampler *, llama_sampler *)) \
	X(llama_sampler *, sampler_init_greedy, (void)) \
	X(llama_sampler *, sampler_init_temp, (float)) \
	X(llama_sampler *, sampler_init_dist, (uint32_t)) \
	X(int32_t, sampler_sample, (llama_sampler *, llama_context *, int32_t)) \
	X(void, sampler_free, (llama_sampler *)) \
	X(int32_t, tokenize, (const llama_vocab *, const char *, int32_t, int32_t *, int32_t, bool, bool)) \
	X(int32_t, token_to_piece, (const llama_vocab *, int32_t, char *, int32_t, int32_t, bool)) \
	X(bool, vocab_is_eog, (const llama_vocab *, int32_t)) \
	X(int32_t, chat_apply_template, (const char *, const hangup_message *, size_t, bool, char *, int32_t))

/* Written by hangup_llama_open, read only after it. */
static struct {
#define X(result, name, parameters) result(*name) parameters;
	FUNCTIONS(X)
#undef X
} llama;

static int find(void *library, const char *name, void *function, char *error, size_t size) {
	void *found = dlsym(library, name);
	if (found == NULL) {
		snprintf(error, size, "there is no %s in it: not llama.cpp, or another version of it", name);
		return -1;
	}
	memcpy(function, &found, sizeof found); /* C has no cast from an object's address to a function's */
	return 0;
}

/* The last errors that llama.cpp logged on this thread. */
static _Thread_local char said[512];

static void on_log(int level, const char *text, void *data) {
	const size_t length = strlen(said);
	(void)data;
	if (level == 4) /* GGML_LOG_LEVEL_ERROR */
		snprintf(said + length, sizeof said - length, "%s", text);
}

int hangup_llama_open(const char *path, const char *backends, char *error, size_t size) {
	void *library = RTLD_DEFAULT;
	void (*load_backends)(const char *);

	if (path != NULL && (library = dlopen(path, RTLD_NOW | RTLD_LOCAL)) == NULL) {
		snprintf(error, size, "%s", dlerror());
		return -1;
	}
#define X(result, name, parameters) \
	if (find(library, "llama_" #name, &llama.name, error, size) != 0) \
		return -1;
	FUNCTIONS(X)
#undef X
	llama.log_set(on_log, NULL);
	if (backends != NULL) {
		if (find(library, "ggml_backend_load_all_from_path", &load_backends, error, size) != 0)
			return -1;
		load_backends(backends);
	}
	llama.backend_init();
	return 0;
}

llama_model *hangup_llama_load(const char *file, char *error, size_t size) {
	said[0] = 0;
	llama_model *model = llama.model_load_from_file(file, llama.model_default_params());
	if (model == NULL)
		snprintf(error, size, "%s", said);
	return model;
}

void hangup_llama_free_model(llama_model *model) { llama.model_free(model); }

llama_context *hangup_llama_new(llama_model *model, uint32_t tokens, uint32_t ubatch, int32_t threads) {
	context_params params = llama.context_default_params();
	params.n_ctx = tokens;
	params.n_batch = tokens; /* so that a whole prompt is one decode */
	params.n_ubatch = ubatch;
	llama_context *context = llama.init_from_model(model, params);
	if (context != NULL)
		llama.set_n_threads(context, threads, threads);
	return context;
}

void hangup_llama_free(llama_context *context) { llama.free(context); }

uint32_t hangup_llama_size(llama_context *context) { return llama.n_ctx(context); }

void hangup_llama_arm(llama_context *context, hangup_abort abort, void *data) {
	llama.set_abort_callback(context, abort, data);
}

int32_t hangup_llama_decode(llama_context *context, int32_t *tokens, int32_t n) {
	return llama.decode(context, llama.batch_get_one(tokens, n));
}

void hangup_llama_clear(llama_context *context) { llama.memory_clear(llama.get_memory(context), false); }

llama_sampler *hangup_llama_new_sampler(float temperature, uint32_t seed) {
	llama_sampler *chain = llama.sampler_chain_init(llama.sampler_chain_default_params());
	if (temperature > 0) {
		llama.sampler_chain_add(chain, llama.sampler_init_temp(temperature));
		llama.sampler_chain_add(chain, llama.sampler_init_dist(seed));
	} else {
		llama.sampler_chain_add(chain, llama.sampler_init_greedy());
	}
	return chain; /* owns what was added */
}

void hangup_llama_free_sampler(llama_sampler *sampler) { llama.sampler_free(sampler); }

int32_t hangup_llama_sample(llama_sampler *sampler, llama_context *context) {
	return llama.sampler_sample(sampler, context, -1);
}

int32_t hangup_llama_tokenize(const llama_model *model, const char *text, int32_t length, int32_t *tokens, int32_t size, bool special) {
	return llama.tokenize(llama.model_get_vocab(model), text, length, tokens, size, true, special);
}

int32_t hangup_llama_piece(const llama_model *model, int32_t token, char *text, int32_t size) {
	return llama.token_to_piece(llama.model_get_vocab(model), token, text, size, 0, false);
}

bool hangup_llama_ends(const llama_model *model, int32_t token) {
	return llama.vocab_is_eog(llama.model_get_vocab(model), token);
}

int32_t hangup_llama_chat(const llama_model *model, const hangup_message *messages, size_t n, char *text, int32_t size) {
	/* Without a template of the model's own it is ChatML. */
	return llama.chat_apply_template(llama.model_chat_template(model, NULL), messages, n, true, text, size);
}
