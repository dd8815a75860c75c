/* Heads of HTTP requests: what is read of them, and what is refused. */
#include <stdlib.h>

#include "daemon/http/head.h"
#include "tests/lib/suite.h"

static struct http_head head;
static size_t used;
static int code;
static const char *why;

/* From memory of exactly that length, for the sanitizer; it lives until the next one. */
static enum http_head_result parse_bytes(const char *text, size_t len)
{
	static char *copy;
	free(copy);
	copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	used = 0;
	code = 0;
	why = NULL;
	return http_head_parse((struct slice){copy, len}, &head, &used, &code, &why);
}

static enum http_head_result parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

#define is(slice, text) ck_assert(slice_equal(slice, slice_from(text)))

START_TEST(a_head_is_whole_at_its_empty_line)
{
	const char text[] = "POST /a%20b/c?x=1&y HTTP/1.1\r\nhOsT: localhost:7224\r\nContent-Length:  5 "
			    "\r\nContent-Type: application/json\r\nOrigin: http://x\r\n\r\n";
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		ck_assert_int_eq(parse_bytes(text, len), HTTP_HEAD_MORE);
	ck_assert_int_eq(parse(text), HTTP_HEAD_WHOLE);
	ck_assert_uint_eq(used, sizeof(text) - 1);
	is(head.method, "POST");
	is(head.path, "/a%20b/c");
	is(head.query, "x=1&y");
	is(head.host, "localhost:7224");
	is(head.origin, "http://x");
	is(head.content_type, "application/json");
	ck_assert(head.has_body && head.has_host && head.has_origin && head.keep_alive && !head.is_1_0 &&
		  !head.expects_continue);
	ck_assert_uint_eq(head.content_length, 5);
	ck_assert_int_eq(parse("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nGET /next"), HTTP_HEAD_WHOLE);
	ck_assert_uint_eq(used, strlen("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	ck_assert_int_eq(parse("\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_HEAD_WHOLE);
	ck_assert_uint_eq(used, strlen("\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	ck_assert_int_eq(parse("\r\n\r"), HTTP_HEAD_MORE);
}
END_TEST

START_TEST(empty_lines_come_to_an_end)
{
	char text[HTTP_MAX_HEAD_BYTES + 8];
	memset(text, '\n', sizeof(text));
	ck_assert_int_eq(parse_bytes(text, 100), HTTP_HEAD_MORE);
	memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(parse_bytes(text, sizeof(text)), HTTP_HEAD_BAD);
}
END_TEST

START_TEST(a_target_may_be_absolute)
{
	static const struct {
		const char *text, *host, *path, *query;
	} rows[] = {
		{"GET http://a:1/b?c HTTP/1.1\r\nHost: x\r\n\r\n", "a:1", "/b", "c"},
		{"GET HTTPS://a HTTP/1.1\r\nHost: x\r\n\r\n", "a", "/", ""},
		{"GET http://[::1]:7?c=/ HTTP/1.1\r\nHost: x\r\n\r\n", "[::1]:7", "/", "c=/"},
		{"GET http://a/ HTTP/1.0\r\n\r\n", "a", "/", ""},
		{"GET /http://a/ HTTP/1.1\r\nHost: x\r\n\r\n", "x", "/http://a/", ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(parse(rows[i].text), HTTP_HEAD_WHOLE);
		ck_assert(head.has_host);
		is(head.host, rows[i].host);
		is(head.path, rows[i].path);
		is(head.query, rows[i].query);
	}
}
END_TEST

START_TEST(a_connection_goes_on_unless_somebody_says_otherwise)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: te, close\r\n\r\n", false},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(parse(rows[i].text), HTTP_HEAD_WHOLE);
		ck_assert_msg(head.keep_alive == rows[i].keep_alive, "%s", rows[i].text);
	}
}
END_TEST

START_TEST(what_two_readers_could_take_differently_is_refused)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{"\x16\x03\x01\r\n\r\n", 400},
		{"GET /\r\n\r\n", 400},
		{"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"G\"T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET http:/x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET http://x/ HTTP/1.1\r\n\r\n", 400},
		{"GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nX: \x7f\r\n\r\n", 400},
		{"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nOrigin: a\r\nOrigin: b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\nEvil: y\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1111111111111111\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\ntransfer-encoding: identity\r\n\r\n", 411},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(parse(rows[i].text) == HTTP_HEAD_BAD && code == rows[i].code && why, "%s: %d",
			      rows[i].text, code);
	}
	ck_assert_int_eq(parse_bytes("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 28), HTTP_HEAD_BAD);
	ck_assert_int_eq(parse_bytes("G\0T / HTTP/1.1\r\nHost: x\r\n\r\n", 28), HTTP_HEAD_BAD);
}
END_TEST

START_TEST(a_head_has_8_kib_and_no_more)
{
	static const char begin[] = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
	char *text = malloc(HTTP_MAX_HEAD_BYTES + 1);
	ck_assert_ptr_nonnull(text);
	memset(text, 'a', HTTP_MAX_HEAD_BYTES + 1);
	memcpy(text, begin, strlen(begin));
	memcpy(text + HTTP_MAX_HEAD_BYTES - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(parse_bytes(text, HTTP_MAX_HEAD_BYTES), HTTP_HEAD_WHOLE);
	memcpy(text + HTTP_MAX_HEAD_BYTES - 4, "a\r\n\r\n", 5);
	ck_assert_int_eq(parse_bytes(text, HTTP_MAX_HEAD_BYTES - 1), HTTP_HEAD_MORE);
	ck_assert_int_eq(parse_bytes(text, HTTP_MAX_HEAD_BYTES), HTTP_HEAD_BAD);
	ck_assert_int_eq(code, 431);
	free(text);
}
END_TEST

static void decodes(const char *text, bool is_query, const char *expected)
{
	char to[8];
	long len = http_decode(slice_from(text), is_query, to, sizeof(to));
	if (!expected) {
		ck_assert_msg(len == -1, "%s", text);
		return;
	}
	ck_assert_msg(len == (long)strlen(expected) && memcmp(to, expected, strlen(expected)) == 0, "%s", text);
}

START_TEST(escapes_are_undone)
{
	decodes("a%20b", false, "a b");
	decodes("%41%7b%7D", false, "A{}");
	decodes("a+b", false, "a+b");
	decodes("a+b", true, "a b");
	decodes("%", false, NULL);
	decodes("%4", false, NULL);
	decodes("%4g", false, NULL);
	decodes("12345678", false, "12345678");
	decodes("123456789", false, NULL);
	decodes("", false, "");
}
END_TEST

START_TEST(a_query_is_pairs)
{
	struct slice query = SLICE("a=1&&b&c=x=y&"), name, value;
	ck_assert(http_query_next(&query, &name, &value));
	is(name, "a");
	is(value, "1");
	ck_assert(http_query_next(&query, &name, &value));
	is(name, "b");
	is(value, "");
	ck_assert(http_query_next(&query, &name, &value));
	is(name, "c");
	is(value, "x=y");
	ck_assert(!http_query_next(&query, &name, &value));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_head_is_whole_at_its_empty_line,
		empty_lines_come_to_an_end,
		a_target_may_be_absolute,
		a_connection_goes_on_unless_somebody_says_otherwise,
		what_two_readers_could_take_differently_is_refused,
		a_head_has_8_kib_and_no_more,
		escapes_are_undone,
		a_query_is_pairs,
		NULL,
	};
	Suite *suite = suite_create("http: heads");
	suite_case(suite, "all", NULL, NULL, tests);
	return suite_run(suite);
}
