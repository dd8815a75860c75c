#include "daemon/core/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(VALUE_LEAD_BYTES >= offsetof(struct value, own) + _Alignof(struct value) + sizeof(void *),
	      "a value, and where its memory begins, are in front of its bytes");

static void account_add(struct value_account *account, uint64_t bytes)
{
	if (!account)
		return;
	account->bytes += bytes;
	account->n++;
}

/* -- Large values: where their memory begins stands in front of them -- */

static void set_block(struct value *value, void *block)
{
	memcpy((char *)value - sizeof(block), &block, sizeof(block));
}

static void *block_of(const struct value *value)
{
	void *block;
	memcpy(&block, (const char *)value - sizeof(block), sizeof(block));
	return block;
}

static struct value *get_large(size_t bytes)
{
	enum { FRONT_BYTES = 16 }; /* the value is aligned as its memory is */
	char *block = malloc(FRONT_BYTES + bytes);
	if (!block)
		return NULL;
	struct value *value = (struct value *)(block + FRONT_BYTES);
	set_block(value, block);
	return value;
}

/* -- Life -- */

static struct value *get(struct value_account *account, size_t len)
{
	size_t bytes = offsetof(struct value, own) + len;
	return len < VALUE_LARGE_BYTES ? value_pool_get(account ? account->pool : NULL, bytes) : get_large(bytes);
}

static void put(struct value_account *account, struct value *value, size_t len)
{
	size_t bytes = offsetof(struct value, own) + len;
	if (len < VALUE_LARGE_BYTES)
		value_pool_put(account ? account->pool : NULL, value, bytes);
	else
		free(block_of(value));
}

static inline void init(struct value *value, const char *bytes, size_t len, struct value_account *account)
{
	assert(len <= UINT32_MAX);
	value->next = NULL;
	value->bytes = bytes;
	value->len = (uint32_t)len;
	value->deliveries = 0;
	value->recorded_in = 0;
	value->n_sharing = 1;
	value->n_charged = 0;
	value->account = account;
	value->origin = NULL;
	account_add(account, len + VALUE_OVERHEAD);
}

struct value *value_create(const void *bytes, size_t len, struct value_account *account)
{
	struct value *value = get(account, len);
	if (!value)
		return NULL;
	init(value, value->own, len, account);
	memcpy(value->own, bytes, len);
	return value;
}

struct value *value_within(void *block, const char *bytes, size_t len, struct value_account *account)
{
	assert(len >= VALUE_LARGE_BYTES && (size_t)(bytes - (const char *)block) >= VALUE_LEAD_BYTES);
	struct value *value = value_holder(&(struct value){.bytes = bytes});
	set_block(value, block);
	init(value, bytes, len, account);
	return value;
}

struct value *value_copy(struct value *value)
{
	struct value *copy = value_pool_get(value->account ? value->account->pool : NULL, sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = (struct value){.bytes = value->bytes, .len = value->len, .account = value->account};
	value_holder(value)->n_sharing++;
	account_add(copy->account, VALUE_OVERHEAD);
	return copy;
}

void value_destroy(struct value *value)
{
	if (!value)
		return;
	value_origin_free(value->origin);
	value->origin = NULL;
	struct value *holder = value_holder(value);
	struct value_account *account = value->account;
	bool is_last = --holder->n_sharing == 0;
	size_t len = value->len;
	if (account) {
		account->bytes -= VALUE_OVERHEAD + (is_last ? len : 0);
		account->n--;
	}
	if (value != holder)
		value_pool_put(account ? account->pool : NULL, value, sizeof(*value));
	if (is_last)
		put(account, holder, len);
}

/* -- Origins -- */

const char *value_reason_name(enum value_reason reason)
{
	switch (reason) {
	case REASON_NACK:
		return "nack";
	case REASON_EXPIRED:
		return "expired";
	case REASON_DISCONNECTED:
		return "disconnected";
	}
	return "unknown";
}

int value_origin_begin(struct value *value, struct slice channel, enum value_reason reason, uint64_t now_us)
{
	assert(channel.len <= UINT8_MAX);
	struct value_origin *origin = malloc(offsetof(struct value_origin, name) + channel.len);
	if (!origin)
		return -1;
	*origin = (struct value_origin){
		.before = value->origin,
		.since_us = now_us,
		.deliveries = value->deliveries,
		.reason = (uint8_t)reason,
		.name_len = (uint8_t)channel.len,
	};
	memcpy(origin->name, channel.bytes, channel.len);
	value->origin = origin;
	return 0;
}

void value_origin_commit(struct value *value)
{
	free(value->origin->before);
	value->origin->before = NULL;
}

void value_origin_withdraw(struct value *value)
{
	struct value_origin *origin = value->origin;
	value->origin = origin->before;
	free(origin);
}

void value_origin_free(struct value_origin *origin)
{
	while (origin) {
		struct value_origin *before = origin->before;
		free(origin);
		origin = before;
	}
}

void value_list_join(struct value_list *list, struct value_list *more)
{
	if (more->n == 0)
		return;
	if (list->tail)
		list->tail->next = more->head;
	else
		list->head = more->head;
	list->tail = more->tail;
	list->n += more->n;
	*more = (struct value_list){0};
}

void value_list_clear(struct value_list *list)
{
	struct value *value;
	while ((value = value_list_pop(list)))
		value_destroy(value);
}
