/* The client's state machine, without a socket: bytes in, bytes out; and the addresses of daemons. */
#define _GNU_SOURCE /* memmem() */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/machine/exchange.h"
#include "client/machine/url.h"
#include "proto/frame.h"
#include "tests/lib/suite.h"

static struct exchange exchange;
static struct message_reply reply;
static struct exchange_request *got;

static void setup(void)
{
	exchange_init(&exchange);
}

static void teardown(void)
{
	exchange_finish(&exchange);
}

/* A frame around the text. */
static size_t frame(char *to, const char *text)
{
	size_t len = strlen(text);

	to[0] = 0;
	to[1] = (char)(len >> 16);
	to[2] = (char)(len >> 8);
	to[3] = (char)len;
	memcpy(to + FRAME_HEADER_BYTES, text, len);
	return len + FRAME_HEADER_BYTES;
}

static void feed_bytes(const void *bytes, size_t len)
{
	size_t room;
	char *to = exchange_room(&exchange, &room);

	ck_assert(to && len <= room);
	memcpy(to, bytes, len);
	exchange_fed(&exchange, len);
}

static void feed(const char *text)
{
	char bytes[1024];

	feed_bytes(bytes, frame(bytes, text));
}

static void begin(struct exchange_request *request)
{
	ck_assert_int_eq(exchange_begin(&exchange, request, OP_PING, SLICE(""), SLICE(""), 1), EXCHANGE_OK);
}

static void assert_more(void)
{
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_MORE);
}

static void assert_reply(struct exchange_request *request)
{
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_REPLY);
	ck_assert_ptr_eq(got, request);
}

START_TEST(a_request_is_one_frame)
{
	struct exchange_request request;
	struct slice body;
	size_t used;

	ck_assert_int_eq(exchange_begin(&exchange, &request, OP_TAKE, SLICE(",\"channel\":\"jobs\""), SLICE(""), 1),
			 EXCHANGE_OK);
	struct slice out = buffer_slice(&exchange.out);
	ck_assert_int_eq(frame_next(out, 65536, &body, &used, NULL), FRAME_WHOLE);
	ck_assert_uint_eq(used, out.len);
	ck_assert(memmem(body.bytes, body.len, "\"op\":\"take\"", 11));
	ck_assert(memmem(body.bytes, body.len, "\"channel\":\"jobs\"", 16));
	ck_assert_uint_eq(exchange.n_pending, 1);
}
END_TEST

START_TEST(a_reply_may_come_in_any_pieces)
{
	const char *text = "{\"id\":1,\"status\":\"ok\",\"value\":{\"a\": 1.0,  \"b\":\"\\u00e9\"}}";
	char bytes[256];
	size_t len = frame(bytes, text);

	for (size_t cut = 0; cut <= len; cut++) {
		struct exchange_request request;

		exchange_finish(&exchange);
		exchange_init(&exchange);
		begin(&request);
		feed_bytes(bytes, cut);
		if (cut < len)
			assert_more();
		feed_bytes(bytes + cut, len - cut);
		assert_reply(&request);
		ck_assert(slice_equal(reply.value, SLICE("{\"a\": 1.0,  \"b\":\"\\u00e9\"}")));
		ck_assert(slice_equal(reply.body, slice_from(text)));
		assert_more();
	}
}
END_TEST

START_TEST(replies_come_in_any_order)
{
	enum { N = 200 };
	static struct exchange_request requests[N];
	char text[64];

	for (int i = 0; i < N; i++)
		begin(&requests[i]);
	ck_assert_uint_eq(exchange.n_pending, N);
	for (int i = 0; i < N; i++) {
		int which = i * 77 % N; /* every one once: 77 and 200 have no common divisor */

		snprintf(text, sizeof text, "{\"status\":\"timeout\",\"id\":%llu}",
			 (unsigned long long)requests[which].id);
		feed(text);
		assert_reply(&requests[which]);
		ck_assert_int_eq(reply.status, STATUS_TIMEOUT);
	}
	ck_assert_uint_eq(exchange.n_pending, 0);
	assert_more();
}
END_TEST

START_TEST(a_take_with_count_has_a_reply_for_each)
{
	struct exchange_request many, one;

	ck_assert_int_eq(exchange_begin(&exchange, &many, OP_TAKE, SLICE(",\"count\":3"), SLICE(""), 3), EXCHANGE_OK);
	begin(&one);
	feed("{\"id\":1,\"status\":\"ok\",\"value\":7,\"left\":2}");
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_PART);
	ck_assert_ptr_eq(got, &many);
	ck_assert(reply.has_left);
	ck_assert_uint_eq(reply.left, 2);
	ck_assert_uint_eq(exchange.n_pending, 2);
	feed("{\"id\":2,\"status\":\"ok\"}");
	assert_reply(&one);
	feed("{\"id\":1,\"status\":\"ok\",\"value\":8,\"left\":1}");
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_PART);
	feed("{\"id\":1,\"status\":\"ok\",\"value\":9,\"left\":0}");
	assert_reply(&many);
	ck_assert_uint_eq(exchange.n_pending, 0);
	feed("{\"id\":1,\"status\":\"ok\",\"value\":10,\"left\":0}");
	assert_more();
}
END_TEST

START_TEST(a_take_with_count_may_end_before)
{
	static const char *const ends[] = {"timeout", "closed", "cancelled", "error"};
	struct exchange_request many;
	char text[64];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		ck_assert_int_eq(exchange_begin(&exchange, &many, OP_TAKE, SLICE(""), SLICE(""), 1000), EXCHANGE_OK);
		snprintf(text, sizeof text, "{\"id\":%zu,\"status\":\"%s\",\"left\":1000}", i + 1, ends[i]);
		feed(text);
		assert_reply(&many);
		ck_assert_uint_eq(exchange.n_pending, 0);
	}
}
END_TEST

START_TEST(nobody_gets_more_than_he_asked_for)
{
	static const char *const wrong[] = {"", ",\"left\":3", ",\"left\":1", ",\"left\":0"};
	struct exchange_request many;
	char text[64];

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		exchange_finish(&exchange);
		exchange_init(&exchange);
		ck_assert_int_eq(exchange_begin(&exchange, &many, OP_TAKE, SLICE(""), SLICE(""), 3), EXCHANGE_OK);
		snprintf(text, sizeof text, "{\"id\":1,\"status\":\"ok\",\"value\":1%s}", wrong[i]);
		feed(text);
		ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_FAILED);
	}
}
END_TEST

START_TEST(what_nobody_waits_for_is_not_pending)
{
	const char *frames = "\0\0\0\x1a{\"op\":\"put\",\"channel\":\"x\"}"
			     "\0\0\0\x22{\"id\":1,\"op\":\"cancel\",\"request\":9}";
	size_t len = 4 + 26 + 4 + 34;

	ck_assert_int_eq(exchange_tell(&exchange, OP_PUT, SLICE(",\"channel\":\"x\""), SLICE("")), EXCHANGE_OK);
	ck_assert_int_eq(exchange_tell(&exchange, OP_CANCEL, SLICE(",\"request\":9"), SLICE("")), EXCHANGE_OK);
	ck_assert_uint_eq(buffer_len(&exchange.out), len);
	ck_assert_int_eq(memcmp(exchange.out.bytes + exchange.out.start, frames, len), 0);
	ck_assert_uint_eq(exchange.n_pending, 0);
	feed("{\"id\":1,\"status\":\"ok\"}");
	assert_more();
	feed("{\"id\":null,\"status\":\"closed\",\"channel\":\"x\"}");
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_NOTICE);
	ck_assert(slice_equal(reply.channel, SLICE("x")));
}
END_TEST

START_TEST(many_replies_may_come_at_once)
{
	struct exchange_request first, second;
	char bytes[256];
	size_t len;

	begin(&first);
	begin(&second);
	len = frame(bytes, "{\"id\":2,\"status\":\"ok\"}");
	len += frame(bytes + len, "{\"id\":1,\"status\":\"closed\"}");
	feed_bytes(bytes, len);
	assert_reply(&second);
	assert_reply(&first);
	ck_assert_int_eq(reply.status, STATUS_CLOSED);
	assert_more();
}
END_TEST

START_TEST(an_id_that_is_not_pending_is_ignored)
{
	struct exchange_request request;

	feed("{\"id\":99,\"status\":\"ok\"}");
	assert_more();
	begin(&request);
	feed("{\"id\":99,\"status\":\"ok\"}");
	feed("{\"id\":1,\"status\":\"ok\"}");
	feed("{\"id\":1,\"status\":\"ok\"}");
	assert_reply(&request);
	assert_more();
}
END_TEST

START_TEST(a_forgotten_request_gets_no_reply)
{
	struct exchange_request forgotten, other;

	begin(&forgotten);
	begin(&other);
	exchange_forget(&exchange, &forgotten);
	exchange_forget(&exchange, &forgotten);
	ck_assert_uint_eq(exchange.n_pending, 1);
	feed("{\"id\":1,\"status\":\"ok\"}");
	feed("{\"id\":2,\"status\":\"ok\"}");
	assert_reply(&other);
	assert_more();
}
END_TEST

START_TEST(a_notice_is_told_apart)
{
	struct exchange_request request;

	begin(&request);
	feed("{\"id\":null,\"status\":\"error\",\"error\":\"overloaded\",\"message\":\"too \\\"many\\\"\"}");
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_NOTICE);
	ck_assert_ptr_null(got);
	ck_assert_int_eq(reply.error, ERROR_OVERLOADED);
	ck_assert(slice_equal(reply.message, SLICE("too \"many\"")));
	ck_assert_uint_eq(exchange.n_pending, 1);
}
END_TEST

START_TEST(unknown_members_statuses_and_codes_are_borne)
{
	struct exchange_request first, second;

	begin(&first);
	begin(&second);
	feed("{\"new\":[{}],\"id\":1,\"status\":\"sideways\"}");
	feed("{\"id\":2,\"status\":\"error\",\"error\":\"never_heard_of\"}");
	assert_reply(&first);
	ck_assert_int_eq(reply.status, STATUS_ERROR);
	assert_reply(&second);
	ck_assert_int_eq(reply.error, ERROR_INTERNAL);
}
END_TEST

static const char *const not_replies[] = {
	"[]", "{}", "nonsense", "{\"id\":1}", "{\"id\":\"x\",\"status\":\"ok\"}", "{\"id\":1,\"status\":\"ok\"}x", ""};

START_TEST(what_is_no_reply_ends_it)
{
	struct exchange_request request, late;

	begin(&request);
	feed(not_replies[_i]);
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_FAILED);
	ck_assert_ptr_nonnull(exchange_error(&exchange));
	feed("{\"id\":1,\"status\":\"ok\"}");
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_FAILED);
	ck_assert_int_eq(exchange_begin(&exchange, &late, OP_PING, SLICE(""), SLICE(""), 1), EXCHANGE_ENDED);
	ck_assert_uint_eq(exchange.n_pending, 1);
}
END_TEST

START_TEST(a_frame_too_large_ends_it)
{
	ck_assert_int_eq(exchange_set_max_frame(&exchange, EXCHANGE_LEAST_FRAME_BYTES), 0);
	feed_bytes("\x00\x01\x04\x00", 4); /* 64 KiB and the 1 KiB that a reply may have more */
	assert_more();
	exchange_finish(&exchange);
	exchange_init(&exchange);
	ck_assert_int_eq(exchange_set_max_frame(&exchange, EXCHANGE_LEAST_FRAME_BYTES), 0);
	feed_bytes("\x00\x01\x04\x01", 4);
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_FAILED);
}
END_TEST

START_TEST(http_ends_it)
{
	feed_bytes("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	ck_assert_int_eq(exchange_next(&exchange, &got, &reply), EXCHANGE_FAILED);
}
END_TEST

START_TEST(a_request_too_large_leaves_nothing_behind)
{
	struct exchange_request request;
	size_t len = EXCHANGE_LEAST_FRAME_BYTES;
	char *text = malloc(len);

	memset(text, ' ', len);
	begin(&request);
	size_t before = buffer_len(&exchange.out);
	ck_assert_int_eq(exchange_begin(&exchange, &request, OP_PING, (struct slice){text, len}, SLICE(""), 1),
			 EXCHANGE_TOO_LARGE);
	ck_assert_int_eq(exchange_begin(&exchange, &request, OP_PING, (struct slice){text, len + 1}, SLICE(""), 1),
			 EXCHANGE_TOO_LARGE);
	ck_assert_uint_eq(buffer_len(&exchange.out), before);
	ck_assert_uint_eq(exchange.n_pending, 1);
	ck_assert_int_eq(exchange_set_max_frame(&exchange, 2 * len), 0);
	ck_assert_int_eq(exchange_begin(&exchange, &(struct exchange_request){0}, OP_PING, (struct slice){text, len},
					SLICE(""), 1),
			 EXCHANGE_OK);
	free(text);
}
END_TEST

START_TEST(impossible_frame_sizes_are_refused)
{
	ck_assert_int_eq(exchange_set_max_frame(&exchange, EXCHANGE_LEAST_FRAME_BYTES - 1), -1);
	ck_assert_int_eq(exchange_set_max_frame(&exchange, EXCHANGE_LARGEST_FRAME_BYTES + 1), -1);
	ck_assert_int_eq(exchange_set_max_frame(&exchange, UINT64_MAX), -1);
	ck_assert_int_eq(exchange_set_max_frame(&exchange, EXCHANGE_LARGEST_FRAME_BYTES), 0);
}
END_TEST

START_TEST(ids_go_round_and_skip_the_pending)
{
	struct exchange_request old, last, first, next;

	exchange.next_id = 1;
	begin(&old);
	exchange.next_id = MESSAGE_MAX_ID;
	begin(&last);
	begin(&first);
	begin(&next);
	ck_assert_uint_eq(last.id, MESSAGE_MAX_ID);
	ck_assert_uint_eq(first.id, 0);
	ck_assert_uint_eq(next.id, 2);
}
END_TEST

/* -- addresses -- */

static const struct {
	const char *text;
	int kind;                /* -1: refused */
	const char *host, *port; /* or the path as host */
} addresses[] = {
	{"tcp://127.0.0.1:7223", URL_TCP, "127.0.0.1", "7223"},
	{"tcp://localhost", URL_TCP, "localhost", "7223"},
	{"tcp://localhost/", URL_TCP, "localhost", "7223"},
	{"tcp://[::1]:9", URL_TCP, "::1", "9"},
	{"tcp://[::1]", URL_TCP, "::1", "7223"},
	{"tcp://a.b-c.example:65535", URL_TCP, "a.b-c.example", "65535"},
	{"unix:///run/m.sock", URL_UNIX, "/run/m.sock", NULL},
	{"unix:///a b", URL_UNIX, "/a b", NULL},
	{"", -1, NULL, NULL},
	{"localhost:7223", -1, NULL, NULL},
	{"http://localhost:7223", -1, NULL, NULL},
	{"tcp://", -1, NULL, NULL},
	{"tcp://:7223", -1, NULL, NULL},
	{"tcp://h:", -1, NULL, NULL},
	{"tcp://h:0", -1, NULL, NULL},
	{"tcp://h:65536", -1, NULL, NULL},
	{"tcp://h:+1", -1, NULL, NULL},
	{"tcp://h:1/x", -1, NULL, NULL},
	{"tcp://::1:7223", -1, NULL, NULL},
	{"tcp://[::1", -1, NULL, NULL},
	{"tcp://[]:1", -1, NULL, NULL},
	{"tcp://[::1]7", -1, NULL, NULL},
	{"unix://", -1, NULL, NULL},
	{"unix://relative", -1, NULL, NULL},
};

START_TEST(addresses_are_parsed)
{
	struct url url;
	const char *problem = url_parse(&url, addresses[_i].text);

	if (addresses[_i].kind < 0) {
		ck_assert_msg(problem && *problem, "%s was taken", addresses[_i].text);
		return;
	}
	ck_assert_msg(!problem, "%s: %s", addresses[_i].text, problem);
	ck_assert_int_eq((int)url.kind, addresses[_i].kind);
	ck_assert_str_eq(url.kind == URL_TCP ? url.host : url.path, addresses[_i].host);
	if (addresses[_i].port)
		ck_assert_str_eq(url.port, addresses[_i].port);
}
END_TEST

START_TEST(long_addresses_are_refused)
{
	char text[400];
	struct url url;

	snprintf(text, sizeof text, "unix:///%0106d", 0);
	ck_assert_ptr_null(url_parse(&url, text));
	snprintf(text, sizeof text, "unix:///%0107d", 0);
	ck_assert_ptr_nonnull(url_parse(&url, text));
	snprintf(text, sizeof text, "tcp://%0255d", 0);
	ck_assert_ptr_null(url_parse(&url, text));
	snprintf(text, sizeof text, "tcp://%0256d", 0);
	ck_assert_ptr_nonnull(url_parse(&url, text));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *urls = tcase_create("addresses"), *bad = tcase_create("not replies");
	const TTest *const machine[] = {
		a_request_is_one_frame,
		a_reply_may_come_in_any_pieces,
		replies_come_in_any_order,
		many_replies_may_come_at_once,
		a_take_with_count_has_a_reply_for_each,
		a_take_with_count_may_end_before,
		nobody_gets_more_than_he_asked_for,
		what_nobody_waits_for_is_not_pending,
		an_id_that_is_not_pending_is_ignored,
		a_forgotten_request_gets_no_reply,
		a_notice_is_told_apart,
		unknown_members_statuses_and_codes_are_borne,
		a_frame_too_large_ends_it,
		http_ends_it,
		a_request_too_large_leaves_nothing_behind,
		impossible_frame_sizes_are_refused,
		ids_go_round_and_skip_the_pending,
		NULL,
	};

	suite_case(suite, "machine", setup, teardown, machine);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_loop_test(bad, what_is_no_reply_ends_it, 0, sizeof not_replies / sizeof *not_replies);
	suite_add_tcase(suite, bad);
	tcase_add_loop_test(urls, addresses_are_parsed, 0, sizeof addresses / sizeof *addresses);
	tcase_add_test(urls, long_addresses_are_refused);
	suite_add_tcase(suite, urls);
	return suite_run(suite);
}
