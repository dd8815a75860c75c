#include "tests/lib/message_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct message_decoder decoder;
struct message_request request;
struct message_reply reply;
char *body;

static void keep(const char *text, size_t len)
{
	free(body);
	body = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(body);
	memcpy(body, text, len);
}

int decode_bytes(const char *text, size_t len)
{
	keep(text, len);
	return message_decode_request(&decoder, body, len, &request);
}

int decode_reply(const char *text)
{
	size_t len = strlen(text);
	keep(text, len);
	return message_decode_reply(body, len, &reply);
}

void decodes(const char *text)
{
	ck_assert_msg(decode_bytes(text, strlen(text)) == 0, "%s: %s: %s", text, error_name(request.error),
		      request.detail);
}

void refuses(const char *text, int64_t id, enum error error, const char *needle)
{
	ck_assert_msg(decode_bytes(text, strlen(text)) < 0, "%s is taken", text);
	ck_assert_msg(request.error == error, "%s: %s, not %s", text, error_name(request.error), error_name(error));
	ck_assert_msg(strstr(request.detail, needle) != NULL, "%s: \"%s\" lacks \"%s\"", text, request.detail, needle);
	ck_assert_msg(request.has_id == (id >= 0), "%s: id", text);
	if (id >= 0)
		ck_assert_uint_eq(request.id, (uint64_t)id);
}

void is_bad(const char *text, const char *needle)
{
	refuses(text, 1, ERROR_BAD_REQUEST, needle);
}

void equals(struct slice slice, const char *text)
{
	ck_assert_msg(slice_equal(slice, slice_from(text)), "\"%.*s\" is not \"%s\"", (int)slice.len, slice.bytes,
		      text);
}

void message_teardown(void)
{
	message_decoder_finish(&decoder);
	free(body);
}
