/* What tests expect of replies. */
#define _GNU_SOURCE
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/wire.h"

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(json != NULL, "not JSON (%s): %s", error.text, text);
	return json;
}

bool json_has(const json_t *actual, const json_t *expected)
{
	if (json_is_object(expected) && json_is_object(actual)) {
		const char *key;
		json_t *value;
		json_object_foreach((json_t *)expected, key, value)
		{
			const json_t *other = json_object_get(actual, key);
			if (!other || !json_has(other, value))
				return false;
		}
		return true;
	}
	if (json_is_array(expected) && json_is_array(actual)) {
		if (json_array_size(expected) != json_array_size(actual))
			return false;
		for (size_t i = 0; i < json_array_size(expected); i++)
			if (!json_has(json_array_get(actual, i), json_array_get(expected, i)))
				return false;
		return true;
	}
	return json_equal(actual, expected);
}

json_t *wire_recv_json(struct wire *wire)
{
	return parse(wire_recv(wire));
}

void wire_expect(struct wire *wire, const char *json)
{
	const char *text = wire_recv(wire);
	json_t *actual = parse(text), *expected = parse(json);
	ck_assert_msg(json_has(actual, expected), "expected %s\n     got %s", json, text);
	json_decref(actual);
	json_decref(expected);
}

void wire_expectf(struct wire *wire, const char *format, ...)
{
	char *json;
	va_list arguments;
	va_start(arguments, format);
	ck_assert_int_ge(vasprintf(&json, format, arguments), 0);
	va_end(arguments);
	wire_expect(wire, json);
	free(json);
}

void wire_expect_exactly(struct wire *wire, const char *json)
{
	const char *text = wire_recv(wire);
	json_t *actual = parse(text), *expected = parse(json);
	ck_assert_msg(json_equal(actual, expected), "expected exactly %s\n             got %s", json, text);
	json_decref(actual);
	json_decref(expected);
}

void wire_expect_bytes(struct wire *wire, const char *bytes)
{
	const char *text = wire_recv(wire);
	ck_assert_msg(strstr(text, bytes) != NULL, "expected %s\nin       %s", bytes, text);
}

void wire_expect_error(struct wire *wire, int64_t id, const char *code, const char *needle)
{
	const char *text = wire_recv(wire);
	json_t *reply = parse(text);
	const json_t *its_id = json_object_get(reply, "id");
	const char *its_status = json_string_value(json_object_get(reply, "status"));
	const char *its_code = json_string_value(json_object_get(reply, "error"));
	const char *message = json_string_value(json_object_get(reply, "message"));
	bool is_id = id < 0 ? json_is_null(its_id) : json_is_integer(its_id) && json_integer_value(its_id) == id;
	ck_assert_msg(is_id, "expected id %lld in %s", (long long)id, text);
	ck_assert_msg(its_status && strcmp(its_status, "error") == 0, "expected the error %s, got %s", code, text);
	ck_assert_msg(its_code && strcmp(its_code, code) == 0, "expected the error %s, got %s", code, text);
	ck_assert_msg(message && *message, "no message in %s", text);
	ck_assert_msg(strstr(message, needle) != NULL, "expected \"%s\" in the message of %s", needle, text);
	json_decref(reply);
}

void wire_ask(struct wire *wire, const char *request, const char *reply)
{
	wire_send(wire, request);
	wire_expect(wire, reply);
}

void wire_ask_exactly(struct wire *wire, const char *request, const char *reply)
{
	wire_send(wire, request);
	wire_expect_exactly(wire, reply);
}

void wire_ask_error(struct wire *wire, const char *request, int64_t id, const char *code, const char *needle)
{
	wire_send(wire, request);
	wire_expect_error(wire, id, code, needle);
}
