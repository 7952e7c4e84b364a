/* Drives the shim against a stand-in for llama.cpp: functions of this program, as in
 * one that has llama.cpp inside. With -DARMED the flag is freed while the context
 * still reads it: then AddressSanitizer must object. */
#include "../internal/llama/shim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	uint32_t n_ctx, n_batch, n_ubatch;
	char rest[136 - 12];
} context_params;

typedef struct {
	char all[72];
} model_params;

typedef struct {
	int32_t n_tokens;
	int32_t *token;
	void *embd, *pos, *n_seq_id, *seq_id, *logits;
} batch;

typedef struct {
	bool no_perf;
} sampler_params;

struct llama_model {
	int contexts;
};

struct llama_context {
	context_params params;
	hangup_abort abort;
	void *data;
	int64_t sum;
	int32_t n;
};

struct llama_sampler {
	llama_sampler *part[2];
	int parts;
};

#define EXPORT(result, name) __attribute__((visibility("default"))) result llama_##name

static void (*on_log)(int, const char *, void *);

EXPORT(void, log_set)(void (*f)(int, const char *, void *), void *data) {
	(void)data;
	on_log = f;
}
EXPORT(void, backend_init)(void) {}
EXPORT(model_params, model_default_params)(void) { return (model_params){{1}}; }
EXPORT(llama_model *, model_load_from_file)(const char *file, model_params params) {
	assert(params.all[0] == 1);
	if (strcmp(file, "broken") == 0) {
		for (int i = 0; i < 100; i++) /* more than the shim keeps */
			on_log(4, "a long word about what is wrong; ", NULL);
		return NULL;
	}
	return calloc(1, sizeof(llama_model));
}
EXPORT(void, model_free)(llama_model *model) { free(model); }
EXPORT(const llama_model *, model_get_vocab)(const llama_model *model) { return model; }
EXPORT(const char *, model_chat_template)(const llama_model *model, const char *name) {
	(void)model;
	return name;
}
EXPORT(context_params, context_default_params)(void) {
	context_params params;
	memset(&params, 7, sizeof params);
	return params;
}
EXPORT(llama_context *, init_from_model)(llama_model *model, context_params params) {
	llama_context *context = calloc(1, sizeof *context);
	for (size_t i = 0; i < sizeof params.rest; i++)
		assert(params.rest[i] == 7);
	model->contexts++;
	context->params = params;
	return context;
}
EXPORT(void, free)(llama_context *context) { free(context); }
EXPORT(uint32_t, n_ctx)(const llama_context *context) { return context->params.n_ctx; }
EXPORT(void, set_n_threads)(llama_context *context, int32_t n, int32_t m) { assert(context != NULL && n == 1 && m == 1); }
EXPORT(void, set_abort_callback)(llama_context *context, hangup_abort f, void *data) {
	context->abort = f;
	context->data = data;
}
EXPORT(batch, batch_get_one)(int32_t *tokens, int32_t n) { return (batch){.n_tokens = n, .token = tokens}; }
EXPORT(int32_t, decode)(llama_context *context, batch b) {
	assert(b.embd == NULL && b.logits == NULL);
	if (context->n + b.n_tokens > (int32_t)context->params.n_ctx)
		return 1;
	for (int32_t i = 0; i < b.n_tokens; i++) {
		if (context->abort != NULL && context->abort(context->data))
			return 2;
		context->sum += b.token[i];
		context->n++;
	}
	return 0;
}
EXPORT(llama_context *, get_memory)(llama_context *context) { return context; }
EXPORT(void, memory_clear)(llama_context *context, bool data) {
	assert(!data);
	context->sum = context->n = 0;
}
EXPORT(sampler_params, sampler_chain_default_params)(void) { return (sampler_params){true}; }
EXPORT(llama_sampler *, sampler_chain_init)(sampler_params params) {
	assert(params.no_perf);
	return calloc(1, sizeof(llama_sampler));
}
EXPORT(void, sampler_chain_add)(llama_sampler *chain, llama_sampler *s) { chain->part[chain->parts++] = s; }
EXPORT(llama_sampler *, sampler_init_greedy)(void) { return calloc(1, sizeof(llama_sampler)); }
EXPORT(llama_sampler *, sampler_init_temp)(float t) { return t > 0 ? calloc(1, sizeof(llama_sampler)) : NULL; }
EXPORT(llama_sampler *, sampler_init_dist)(uint32_t seed) { return seed == 9 ? calloc(1, sizeof(llama_sampler)) : NULL; }
EXPORT(int32_t, sampler_sample)(llama_sampler *s, llama_context *context, int32_t i) {
	assert(s->parts > 0 && i == -1);
	return (int32_t)context->sum;
}
EXPORT(void, sampler_free)(llama_sampler *s) {
	for (int i = 0; i < s->parts; i++)
		free(s->part[i]);
	free(s);
}
EXPORT(int32_t, tokenize)(const llama_model *vocab, const char *text, int32_t length, int32_t *tokens, int32_t size, bool begin, bool special) {
	assert(vocab != NULL && begin && !special);
	for (int32_t i = 0; i < length && i < size; i++)
		tokens[i] = text[i];
	return length <= size ? length : -length;
}
EXPORT(int32_t, token_to_piece)(const llama_model *vocab, int32_t token, char *text, int32_t size, int32_t skip, bool special) {
	assert(vocab != NULL && size > 0 && skip == 0 && !special);
	text[0] = (char)token;
	return 1;
}
EXPORT(bool, vocab_is_eog)(const llama_model *vocab, int32_t token) { return vocab == NULL || token == 2; }
EXPORT(int32_t, chat_apply_template)(const char *template, const hangup_message *m, size_t n, bool answer, char *text, int32_t size) {
	assert(template == NULL && n == 1 && answer);
	return snprintf(text, (size_t)size, "%s: %s", m->role, m->content);
}

static bool set(void *word) { return __atomic_load_n((int64_t *)word, __ATOMIC_ACQUIRE) != 0; }

int main(void) {
	char error[64], text[16];
	int32_t tokens[] = {1, 2, 3, 4};

	assert(hangup_llama_open("/nowhere", NULL, error, sizeof error) == -1 && strstr(error, "nowhere") != NULL);
	assert(hangup_llama_open(NULL, "/nowhere", error, sizeof error) == -1 && strstr(error, "ggml_backend") != NULL);
	assert(hangup_llama_open(NULL, NULL, error, sizeof error) == 0);
	assert(hangup_llama_load("broken", error, sizeof error) == NULL && strlen(error) == sizeof error - 1);

	llama_model *model = hangup_llama_load("model", error, sizeof error);
	llama_context *context = hangup_llama_new(model, 8, 4, 1);
	assert(hangup_llama_size(context) == 8);
	assert(context->params.n_batch == 8 && context->params.n_ubatch == 4);

	int64_t *word = calloc(1, sizeof *word);
	hangup_llama_arm(context, set, word);
	assert(hangup_llama_decode(context, tokens, 4) == 0 && context->sum == 10);
	*word = 1;
	assert(hangup_llama_decode(context, tokens, 4) == 2);
#ifndef ARMED
	hangup_llama_arm(context, NULL, NULL);
#endif
	free(word); /* from here on nobody may read it */
	hangup_llama_clear(context);
	assert(hangup_llama_decode(context, tokens, 4) == 0 && hangup_llama_decode(context, tokens, 4) == 0);
	assert(hangup_llama_decode(context, tokens, 1) == 1);

	for (int i = 0; i < 2; i++) {
		llama_sampler *s = hangup_llama_new_sampler((float)i, 9);
		assert(s->parts == 1 + i && hangup_llama_sample(s, context) == 20);
		hangup_llama_free_sampler(s);
	}
	assert(hangup_llama_tokenize(model, "abcd", 4, tokens, 4, false) == 4 && tokens[3] == 'd');
	assert(hangup_llama_piece(model, 'x', text, sizeof text) == 1 && text[0] == 'x');
	assert(hangup_llama_ends(model, 2) && !hangup_llama_ends(model, 3));
	assert(hangup_llama_chat(model, &(hangup_message){"user", "hi"}, 1, text, sizeof text) == 8);
	hangup_llama_free(context);
	hangup_llama_free_model(model);
	return 0;
}
