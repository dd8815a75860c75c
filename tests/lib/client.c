#include "tests/lib/client.h"

#include <check.h>
#include <string.h>

void client_is(int status, int expected, const char *call)
{
	ck_assert_msg(status == expected, "%s: %s (%s), not %s", call, mr_status_name(status),
		      status < 0 ? mr_message() : "", mr_status_name(expected));
}

void client_fails(int status, int expected, const char *needle, const char *call)
{
	client_is(status, expected, call);
	ck_assert_msg(strstr(mr_message(), needle), "%s: \"%s\" lacks \"%s\"", call, mr_message(), needle);
}

mr *client_connect(const char *url)
{
	mr *made = NULL;

	IS(MR_OK, mr_connect(&made, url, NULL));
	return made;
}

void client_channel(mr *m, const char *name, const char *kind, uint64_t capacity)
{
	bool created = false;

	IS(MR_OK, mr_create(m, name, &(struct mr_definition){.kind = kind, .capacity = capacity}, &created, NULL));
	ck_assert(created);
}

void client_put(mr *m, const char *channel, const char *json)
{
	IS(MR_OK, mr_put_raw(m, channel, json, strlen(json), MR_FOREVER));
}

void client_take(mr *m, const char *channel, const char *expected)
{
	char *json = NULL;
	size_t len = 0;

	IS(MR_OK, mr_take_raw(m, channel, &json, &len, MR_FOREVER));
	ck_assert_str_eq(json, expected);
	ck_assert_uint_eq(len, strlen(expected));
	mr_free(json);
}

bool client_knows(mr *m, const char *feature)
{
	json_t *hello, *known;
	bool is_known = false;
	size_t i;

	IS(MR_OK, mr_hello(m, &hello));
	json_array_foreach(json_object_get(hello, "features"), i, known)
	{
		is_known = is_known || strcmp(json_string_value(known), feature) == 0;
	}
	json_decref(hello);
	return is_known;
}

int64_t client_stat(mr *m, const char *channel, const char *key)
{
	json_t *row = NULL, *found;
	int64_t value;

	IS(MR_OK, mr_stat(m, channel, &row));
	found = json_object_get(row, key);
	ck_assert_msg(json_is_integer(found), "%s has no %s", channel, key);
	value = json_integer_value(found);
	json_decref(row);
	return value;
}

void client_stat_wait(mr *m, const char *channel, const char *key, int64_t value)
{
	uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;
	int64_t now;

	while ((now = client_stat(m, channel, key)) != value)
		ck_assert_msg(test_now_ms() < deadline_ms, "%s of %s is %lld, not %lld", key, channel, (long long)now,
			      (long long)value);
}

void client_await_parked(mr *m, size_t n)
{
	uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;
	size_t parked;

	do {
		json_t *rows = NULL;

		IS(MR_OK, mr_waiters(m, NULL, &rows));
		parked = json_array_size(rows);
		json_decref(rows);
		ck_assert_msg(test_now_ms() < deadline_ms, "%zu are parked, not %zu", parked, n);
	} while (parked != n);
}
