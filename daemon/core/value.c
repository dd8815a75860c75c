#include "daemon/core/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void account_add(struct value_account *account, uint64_t bytes)
{
	if (!account)
		return;
	account->bytes += bytes;
	account->n++;
}

struct value *value_create(const void *bytes, size_t len, struct value_account *account)
{
	assert(len <= UINT32_MAX);
	struct value *value = value_pool_get(account ? account->pool : NULL, offsetof(struct value, own) + len);
	if (!value)
		return NULL;
	value->next = NULL;
	value->bytes = value->own;
	value->len = (uint32_t)len;
	value->deliveries = 0;
	value->recorded_in = 0;
	value->n_sharing = 1;
	value->n_charged = 0;
	value->account = account;
	value->origin = NULL;
	account_add(account, len + VALUE_OVERHEAD);
	memcpy(value->own, bytes, len);
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
	size_t held_bytes = offsetof(struct value, own) + value->len;
	if (account) {
		account->bytes -= VALUE_OVERHEAD + (is_last ? value->len : 0);
		account->n--;
	}
	if (value != holder)
		value_pool_put(account ? account->pool : NULL, value, sizeof(*value));
	if (is_last)
		value_pool_put(account ? account->pool : NULL, holder, held_bytes);
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
