#include "daemon/core/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct value *value_create(const void *bytes, size_t len, struct value_account *account)
{
	assert(len <= UINT32_MAX);
	struct value *value = malloc(offsetof(struct value, bytes) + len);
	if (!value)
		return NULL;
	value->next = NULL;
	value->len = (uint32_t)len;
	value->deliveries = 0;
	value->recorded_in = 0;
	value->account = account;
	if (account) {
		account->bytes += len;
		account->n++;
	}
	memcpy(value->bytes, bytes, len);
	return value;
}

void value_destroy(struct value *value)
{
	if (value && value->account) {
		value->account->bytes -= value->len;
		value->account->n--;
	}
	free(value);
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
