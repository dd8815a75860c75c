/* The client library against the real daemon: every function, every outcome, and threads that share a handle. */
#define _GNU_SOURCE /* memmem() */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/millrace.h"
#include "client/millrace_stream.h"
#include "tests/lib/client.h"
#include "tests/lib/proxy.h"
#include "tests/lib/suite.h"

static struct daemon *d;
static mr *m;

static void channel(const char *name, const char *kind, uint64_t capacity)
{
	client_channel(m, name, kind, capacity);
}

static void setup(void)
{
	d = daemon_start(NULL);
	m = client_connect(daemon_url(d));
	channel("jobs", "bounded", 4);
	channel("meet", "unbuffered", 0);
	channel("drop", "dropping", 1);
	channel("latest", "sliding", 1);
	channel("answer", "promise", 0);
}

static void teardown(void)
{
	mr_destroy(m);
	daemon_stop(d);
}

static void put_raw(const char *name, const char *json)
{
	client_put(m, name, json);
}

static void take_raw(const char *name, const char *expected)
{
	client_take(m, name, expected);
}

static void assert_json(json_t *actual, const char *expected)
{
	json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);

	ck_assert_ptr_nonnull(wanted);
	ck_assert_msg(json_equal(actual, wanted), "not %s", expected);
	json_decref(wanted);
	json_decref(actual);
}

/* -- connecting -- */

START_TEST(connects_by_every_address)
{
	mr *other = client_connect(daemon_unix_url(d));
	json_t *hello = NULL;

	IS(MR_OK, mr_ping(other, MR_FOREVER));
	IS(MR_OK, mr_hello(other, &hello));
	ck_assert_int_eq(json_integer_value(json_object_get(hello, "protocol")), 1);
	ck_assert_ptr_nonnull(json_object_get(hello, "max_frame_bytes"));
	json_decref(hello);
	mr_destroy(other);
	setenv("MILLRACE_URL", daemon_url(d), 1);
	mr_destroy(client_connect(NULL));
	mr_destroy(NULL);
}
END_TEST

START_TEST(says_why_it_cannot_connect)
{
	mr *none = m;

	FAILS(MR_EARGUMENT, "tcp://", mr_connect(&none, "http://x", NULL));
	ck_assert_ptr_null(none);
	FAILS(MR_ECONNECT, "no.sock", mr_connect(&none, "unix:///nowhere/no.sock", NULL));
	FAILS(MR_ECONNECT, "tcp://127.0.0.1:1", mr_connect(&none, "tcp://127.0.0.1:1", NULL));
	FAILS(MR_EARGUMENT, "connect_timeout_ms",
	      mr_connect(&none, daemon_url(d), &(struct mr_options){.connect_timeout_ms = -1}));
	FAILS(MR_EARGUMENT, "UTF-8", mr_connect(&none, daemon_url(d), &(struct mr_options){.name = "\xff"}));
}
END_TEST

/* A listener that never accepts. */
static int deaf_listener(const char *path, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

START_TEST(gives_up_on_who_never_says_hello)
{
	char *directory = directory_create(), path[100], url[120];
	mr *none;

	snprintf(path, sizeof path, "%s/deaf", directory);
	snprintf(url, sizeof url, "unix://%s", path);
	int fd = deaf_listener(path, 0);
	FAILS(MR_ECONNECT, "silent", mr_connect(&none, url, &(struct mr_options){.connect_timeout_ms = 20}));
	/* The one that was given up fills the queue: now connect() itself waits. */
	FAILS(MR_ECONNECT, "timed out", mr_connect(&none, url, &(struct mr_options){.connect_timeout_ms = 20}));
	close(fd);
	unlink(path);
	directory_destroy(directory);
}
END_TEST

static void *answer_http(void *argument)
{
	int fd = accept(*(int *)argument, NULL, NULL);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, "HTTP/1.1 400 \r\n\r\n", 17, MSG_NOSIGNAL), 17);
	close(fd);
	return NULL;
}

START_TEST(knows_what_is_no_daemon)
{
	char *directory = directory_create(), path[100], url[120];
	pthread_t thread;
	mr *none;

	snprintf(path, sizeof path, "%s/http", directory);
	snprintf(url, sizeof url, "unix://%s", path);
	int fd = deaf_listener(path, 1);
	pthread_create(&thread, NULL, answer_http, &fd);
	FAILS(MR_EPROTOCOL, "", mr_connect(&none, url, NULL));
	pthread_join(thread, NULL);
	close(fd);
	unlink(path);
	directory_destroy(directory);
}
END_TEST

/* A daemon that greets, and says `closed` to all that comes, with what belongs to an `ok`. */
static void *answer_oddly(void *argument)
{
	int fd = accept(*(int *)argument, NULL, NULL);
	char bytes[4096], body[400];
	unsigned long long id;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof bytes - 1, 0)) > 4) {
		bytes[n] = '\0';
		ck_assert_int_eq(sscanf(strstr(bytes + 4, "\"id\":"), "\"id\":%llu", &id), 1);
		if (strstr(bytes + 4, "\"hello\""))
			snprintf(body, sizeof body,
				 "{\"id\":%llu,\"status\":\"ok\",\"protocol\":1,\"max_frame_bytes\":65536}", id);
		else
			snprintf(body, sizeof body,
				 "{\"id\":%llu,\"status\":\"closed\",\"value\":1,\"lease\":\"x\","
				 "\"deliveries\":1,\"origin\":{},\"arm\":0}",
				 id);
		ck_assert_int_eq(send(fd, (char[]){0, 0, (char)(strlen(body) >> 8), (char)strlen(body)}, 4, 0), 4);
		ck_assert_int_eq(send(fd, body, strlen(body), 0), (ssize_t)strlen(body));
	}
	close(fd);
	return NULL;
}

/* A leak would be told by the address sanitizer. */
START_TEST(a_status_that_is_not_expected_leaves_nothing_behind)
{
	char *directory = directory_create(), path[100], url[120], *json = directory;
	struct mr_arm arm = {.channel = "jobs"};
	struct mr_choice choice;
	struct mr_result result;
	pthread_t thread;
	json_t *tree = json_true();

	snprintf(path, sizeof path, "%s/odd", directory);
	snprintf(url, sizeof url, "unix://%s", path);
	int fd = deaf_listener(path, 1);
	pthread_create(&thread, NULL, answer_oddly, &fd);
	mr *odd = client_connect(url);
	IS(MR_CLOSED, mr_put_raw(odd, "jobs", "1", 1, 0));
	IS(MR_CLOSED, mr_take_raw(odd, "jobs", &json, NULL, 0));
	ck_assert_ptr_null(json);
	IS(MR_CLOSED, mr_take(odd, "jobs", &tree, 0));
	ck_assert_ptr_null(tree);
	IS(MR_CLOSED, mr_take_with(odd, "jobs", &(struct mr_take_options){.lease_ms = 1}, 0, &result));
	ck_assert_ptr_null(result.lease);
	IS(MR_CLOSED, mr_stat(odd, "jobs", &tree));
	IS(MR_CLOSED, mr_peek(odd, "jobs", 1, &tree));
	IS(MR_CLOSED, mr_list(odd, NULL, &tree));
	IS(MR_CLOSED, mr_delete(odd, "jobs", false, NULL));
	IS(MR_CLOSED, mr_alts(odd, &arm, 1, false, 0, &choice));
	ck_assert_ptr_null(choice.raw);
	mr_destroy(odd);
	pthread_join(thread, NULL);
	close(fd);
	unlink(path);
	directory_destroy(directory);
}
END_TEST

START_TEST(the_first_address_that_can_be_had_is_chosen)
{
	char urls[300];
	mr *made;

	snprintf(urls, sizeof urls, "unix:///nowhere/no.sock,  tcp://127.0.0.1:1 ,%s", daemon_url(d));
	mr_destroy(client_connect(urls));
	FAILS(MR_ECONNECT, "127.0.0.1:1",
	      mr_connect(&made, "unix:///nowhere/no.sock tcp://127.0.0.1:1", NULL)); /* the last one's reason */
	FAILS(MR_EARGUMENT, "http://x", mr_connect(&made, "tcp://127.0.0.1:1,http://x", NULL));
	setenv("MILLRACE_URL", urls, 1);
	mr_destroy(client_connect(NULL));
	snprintf(urls, sizeof urls, "tcp://localhost:%u", (unsigned)daemon_port(d));
	mr_destroy(client_connect(urls));
	FAILS(MR_ECONNECT, "cannot connect to tcp://name.invalid",
	      mr_connect(&made, "tcp://name.invalid", &(struct mr_options){.connect_timeout_ms = 500}));
}
END_TEST

/* -- put and take -- */

START_TEST(values_are_json)
{
	json_t *value = json_pack("{s:s, s:[i, b, f]}", "text", "h\xc3\xa9llo", "more", 1, 1, 2.5), *taken = NULL;

	IS(MR_OK, mr_put(m, "jobs", value, MR_FOREVER));
	IS(MR_OK, mr_take(m, "jobs", &taken, MR_FOREVER));
	ck_assert(json_equal(value, taken));
	json_decref(taken);
	json_decref(value);
	value = json_stringn("a\0b", 3);
	IS(MR_OK, mr_offer(m, "jobs", value));
	IS(MR_OK, mr_poll(m, "jobs", &taken));
	ck_assert(json_equal(value, taken));
	json_decref(taken);
	json_decref(value);
	put_raw("jobs", "1");
	IS(MR_OK, mr_take(m, "jobs", NULL, 0));
	put_raw("jobs", "1");
	IS(MR_OK, mr_take_raw(m, "jobs", NULL, NULL, 0));
}
END_TEST

START_TEST(values_keep_their_bytes)
{
	static const char *const values[] = {"{\"a\": 1.0,  \"b\":\"\\u00e9\"}",
					     "1e999",
					     "123456789012345678901234567890",
					     "\"\\u0000\\\"\\/\"",
					     "{\"x\":1,\"x\":2}",
					     "[ ]",
					     "false",
					     "-0.0"};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		put_raw("jobs", values[i]);
		take_raw("jobs", values[i]);
	}
}
END_TEST

static void assert_unheld(const char *expected)
{
	size_t len = 0;
	char *text = mr_unheld(&len);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(len, strlen(expected));
	mr_free(text);
	ck_assert_ptr_null(mr_unheld(&len));
	ck_assert_uint_eq(len, 0);
}

START_TEST(what_jansson_cannot_hold_is_given_as_bytes)
{
	json_t *value = json_true();

	put_raw("jobs", "123456789012345678901234567890");
	FAILS(MR_EJSON, "1234567890", mr_take(m, "jobs", &value, 0));
	ck_assert_ptr_null(value);
	assert_unheld("123456789012345678901234567890");
	put_raw("jobs", "[1e999]");
	FAILS(MR_EJSON, "1e999", mr_poll(m, "jobs", NULL));
	put_raw("jobs", "1e998"); /* what nobody asked for is replaced */
	FAILS(MR_EJSON, "1e998", mr_poll(m, "jobs", NULL));
	assert_unheld("1e998");
}
END_TEST

START_TEST(what_jansson_cannot_hold_fails_alone_among_many)
{
	json_t *values = NULL;

	for (int i = 0; i < 2; i++) {
		IS(MR_OK, mr_put_many_raw(m, "jobs", "[1, 1e999, [2], [-1e999]]", 25, 0, NULL));
		FAILS(MR_EJSON, "1e999", i ? mr_take_many(m, "jobs", 9, &values, 0) : mr_peek(m, "jobs", 9, &values));
		assert_json(values, "[1, null, [2], null]");
		assert_unheld("[1e999,[-1e999]]");
		if (i == 0)
			IS(MR_OK, mr_take_many_raw(m, "jobs", 9, NULL, NULL, 0));
	}
}
END_TEST

START_TEST(what_jansson_cannot_hold_can_be_given_back)
{
	struct mr_result result;
	json_t *value;

	put_raw("jobs", "1e999");
	for (int i = 1; i <= 2; i++) {
		IS(MR_OK, mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
		ck_assert_uint_eq(result.deliveries, 1); /* it has not been counted */
		FAILS(MR_EJSON, "1e999", mr_result_json(&result, &value));
		IS(MR_OK, mr_nack_with(m, result.lease, &(struct mr_nack_options){.uncounted = true}));
		mr_result_finish(&result);
	}
	take_raw("jobs", "1e999");
}
END_TEST

START_TEST(every_status_of_a_put_and_a_take)
{
	json_t *value = json_integer(7), *taken = value;

	IS(MR_TIMEOUT, mr_poll(m, "jobs", &taken));
	ck_assert_ptr_null(taken);
	IS(MR_TIMEOUT, mr_take(m, "jobs", &taken, 1));
	IS(MR_TIMEOUT, mr_offer(m, "meet", value));
	IS(MR_OK, mr_put(m, "drop", value, 0));
	IS(MR_DROPPED, mr_put(m, "drop", value, 0));
	IS(MR_OK, mr_put(m, "latest", value, 0));
	IS(MR_OK, mr_put(m, "latest", value, 0));
	IS(MR_OK, mr_put(m, "answer", value, 0));
	IS(MR_DROPPED, mr_put(m, "answer", value, 0));
	IS(MR_OK, mr_close(m, "jobs"));
	IS(MR_OK, mr_close(m, "jobs"));
	IS(MR_CLOSED, mr_put(m, "jobs", value, MR_FOREVER));
	IS(MR_CLOSED, mr_take(m, "jobs", &taken, MR_FOREVER));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_put(m, "nowhere", value, 0));
	FAILS(MR_EBAD_VALUE, "", mr_put_raw(m, "drop", "null", 4, 0));
	json_decref(value);
}
END_TEST

START_TEST(impossible_arguments_are_never_sent)
{
	static const char *const broken[] = {"",    " ",        "{",    "1 2",      "1,\"channel\":\"drop\"",
					     "nul", "\"\xff\"", "[1,]", "{\"a\":}", "\"\\ud800\""};
	static char deep[300];
	json_t *rows = NULL, *value = json_integer(1);
	mr_request *request;
	size_t accepted = 9;

	memset(deep, '[', 129);
	memset(deep + 129, ']', 129);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		FAILS(MR_EARGUMENT, "JSON", mr_put_raw(m, "jobs", broken[i], strlen(broken[i]), 0));
		FAILS(MR_EARGUMENT, "", mr_put_many_raw(m, "jobs", broken[i], strlen(broken[i]), 0, &accepted));
		FAILS(MR_EARGUMENT, "", mr_begin_put(m, &request, "jobs", broken[i], strlen(broken[i]), 0));
		ck_assert_ptr_null(request);
	}
	ck_assert_uint_eq(accepted, 0);
	FAILS(MR_EBAD_VALUE, "128", mr_put_raw(m, "jobs", deep, 258, 0));
	FAILS(MR_EARGUMENT, "no value", mr_put_many_raw(m, "jobs", "[ ]", 3, 0, NULL));
	FAILS(MR_EARGUMENT, "array", mr_put_many(m, "jobs", value, 0, NULL));
	FAILS(MR_EARGUMENT, "NULL", mr_put(m, "jobs", NULL, 0));
	FAILS(MR_EARGUMENT, "NULL", mr_put_raw(m, "jobs", NULL, 0, 0));
	FAILS(MR_EARGUMENT, "NULL", mr_put(m, NULL, value, 0));
	FAILS(MR_EARGUMENT, "UTF-8", mr_put(m, "jo\xffs", value, 0));
	FAILS(MR_EARGUMENT, "time-out", mr_put(m, "jobs", value, -2));
	FAILS(MR_EARGUMENT, "time-out", mr_take(m, "jobs", NULL, INT64_C(1) << 31));
	FAILS(MR_EARGUMENT, "time-out", mr_ping(m, -2));
	FAILS(MR_EARGUMENT, "max", mr_take_many(m, "jobs", 0, &rows, 0));
	FAILS(MR_EARGUMENT, "max", mr_take_many_raw(m, "jobs", 1001, NULL, NULL, 0));
	FAILS(MR_EARGUMENT, "max", mr_begin_take(m, &request, "jobs", 1001, 0));
	FAILS(MR_EARGUMENT, "max", mr_peek(m, "jobs", 0, &rows));
	FAILS(MR_EARGUMENT, "kind", mr_create(m, "x", &(struct mr_definition){0}, NULL, NULL));
	FAILS(MR_EARGUMENT, "UTF-8",
	      mr_create(m, "x\xff", &(struct mr_definition){.kind = "bounded", .capacity = 1}, NULL, NULL));
	FAILS(MR_EARGUMENT, "UTF-8", mr_list(m, "\xff", &rows));
	IS(MR_OK, mr_stat(m, "jobs", &rows));
	ck_assert_int_eq(json_integer_value(json_object_get(rows, "accepted")), 0);
	json_decref(rows);
	json_decref(value);
}
END_TEST

START_TEST(a_value_of_a_whole_frame_and_one_byte_too_many)
{
	size_t len = 1024 * 1024;
	char *json = malloc(len + 1), *taken = NULL;
	size_t taken_len;

	memset(json, 'x', len);
	json[0] = json[len - 101] = '"';
	IS(MR_OK, mr_put_raw(m, "jobs", json, len - 100, MR_FOREVER));
	IS(MR_OK, mr_take_raw(m, "jobs", &taken, &taken_len, MR_FOREVER));
	ck_assert_uint_eq(taken_len, len - 100);
	ck_assert_int_eq(memcmp(taken, json, taken_len), 0);
	mr_free(taken);
	json[len - 101] = 'x';
	json[len - 1] = '"';
	FAILS(MR_EARGUMENT, "larger", mr_put_raw(m, "jobs", json, len, MR_FOREVER));
	IS(MR_OK, mr_ping(m, MR_FOREVER));
	free(json);
}
END_TEST

START_TEST(batches)
{
	json_t *values = NULL;
	size_t accepted = 0, len;
	char *json;

	IS(MR_OK, mr_put_many_raw(m, "jobs", "[1, {\"a\": 2},3 ]", 16, MR_FOREVER, &accepted));
	ck_assert_uint_eq(accepted, 3);
	IS(MR_OK, mr_peek(m, "jobs", 2, &values));
	assert_json(values, "[1, {\"a\": 2}]");
	IS(MR_OK, mr_peek_raw(m, "jobs", 9, &json, &len));
	ck_assert_str_eq(json, "[1,{\"a\": 2},3]");
	ck_assert_uint_eq(len, strlen(json));
	mr_free(json);
	IS(MR_OK, mr_take_many_raw(m, "jobs", 2, &json, &len, 0));
	ck_assert_str_eq(json, "[1,{\"a\": 2}]");
	mr_free(json);
	IS(MR_OK, mr_take_many(m, "jobs", 1000, &values, 0));
	assert_json(values, "[3]");
	values = json_pack("[i,i,i,i,i,i]", 1, 2, 3, 4, 5, 6);
	IS(MR_TIMEOUT, mr_put_many(m, "jobs", values, 0, &accepted));
	ck_assert_uint_eq(accepted, 4);
	IS(MR_DROPPED, mr_put_many(m, "drop", values, 0, &accepted));
	ck_assert_uint_eq(accepted, 1);
	FAILS(MR_ENO_SUCH_CHANNEL, "", mr_put_many(m, "nowhere", values, 0, &accepted));
	ck_assert_uint_eq(accepted, 0);
	json_decref(values);
}
END_TEST

/* -- alts -- */

START_TEST(alts_of_every_outcome)
{
	json_t *value = json_integer(5);
	struct mr_arm arms[65] = {{.channel = "jobs"}, {.channel = "meet", .put = value}};
	struct mr_choice choice;

	IS(MR_TIMEOUT, mr_alts(m, arms, 2, false, 0, &choice));
	put_raw("jobs", "{\"a\":  1}");
	IS(MR_OK, mr_alts(m, arms, 2, true, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 0);
	ck_assert_str_eq(choice.raw, "{\"a\":  1}");
	ck_assert_uint_eq(choice.raw_len, 9);
	assert_json(json_incref(choice.value), "{\"a\": 1}");
	mr_choice_finish(&choice);
	put_raw("jobs", "1e999");
	IS(MR_OK, mr_alts(m, arms, 1, false, MR_FOREVER, &choice));
	ck_assert_ptr_null(choice.value);
	ck_assert_str_eq(choice.raw, "1e999");
	mr_choice_finish(&choice);
	arms[1] = (struct mr_arm){.channel = "latest", .raw = "[ 1]", .raw_len = 4};
	for (uint64_t evicted = 0; evicted < 2; evicted++) {
		IS(MR_OK, mr_alts(m, arms, 2, true, MR_FOREVER, &choice));
		ck_assert_uint_eq(choice.arm, 1);
		ck_assert_uint_eq(choice.evicted, evicted);
		ck_assert_ptr_null(choice.raw);
		ck_assert_ptr_null(choice.value);
	}
	take_raw("latest", "[ 1]");
	put_raw("drop", "1");
	arms[1] = (struct mr_arm){.channel = "drop", .put = value};
	IS(MR_DROPPED, mr_alts(m, arms, 2, true, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 1);
	IS(MR_OK, mr_close(m, "jobs"));
	IS(MR_CLOSED, mr_alts(m, arms, 1, true, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 0);

	for (size_t i = 0; i < 65; i++)
		arms[i] = (struct mr_arm){.channel = "meet"};
	IS(MR_TIMEOUT, mr_alts(m, arms, 64, false, 0, &choice));
	FAILS(MR_EARGUMENT, "64", mr_alts(m, arms, 65, false, 0, &choice));
	FAILS(MR_EARGUMENT, "64", mr_alts(m, arms, 0, false, 0, &choice));
	arms[1].channel = NULL;
	FAILS(MR_EARGUMENT, "arm", mr_alts(m, arms, 2, false, 0, &choice));
	arms[1] = (struct mr_arm){.channel = "meet", .put = value, .raw = "1", .raw_len = 1};
	FAILS(MR_EARGUMENT, "both", mr_alts(m, arms, 2, false, 0, &choice));
	arms[1] = (struct mr_arm){.channel = "meet", .raw = "1}]", .raw_len = 3};
	FAILS(MR_EARGUMENT, "JSON", mr_alts(m, arms, 2, false, 0, &choice));
	arms[1] = (struct mr_arm){.channel = "nowhere"};
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_alts(m, arms, 2, false, 0, &choice));
	json_decref(value);
}
END_TEST

/* -- channels, and looking -- */

START_TEST(channels_are_made_and_removed)
{
	struct mr_definition definition = {.kind = "bounded", .capacity = 4};
	bool created = true;
	char *name = NULL;
	uint64_t discarded = 9;
	json_t *row = NULL;

	IS(MR_OK, mr_create(m, "jobs", &definition, &created, &name));
	ck_assert(!created);
	ck_assert_str_eq(name, "jobs");
	mr_free(name);
	definition.capacity = 5;
	FAILS(MR_ECHANNEL_EXISTS, "jobs", mr_create(m, "jobs", &definition, &created, &name));
	ck_assert_ptr_null(name);
	FAILS(MR_EBAD_CHANNEL, "", mr_create(m, "_mine", &definition, NULL, NULL));
	definition = (struct mr_definition){.kind = "unbuffered", .ephemeral = true, .max_waiters = 1};
	IS(MR_OK, mr_create(m, NULL, &definition, NULL, &name));
	ck_assert_msg(strncmp(name, "_r.", 3) == 0, "%s", name);
	IS(MR_OK, mr_stat(m, name, &row));
	ck_assert(json_is_true(json_object_get(row, "ephemeral")));
	ck_assert_ptr_null(json_object_get(row, "id"));
	ck_assert_ptr_null(json_object_get(row, "status"));
	json_decref(row);
	mr_free(name);
	put_raw("jobs", "1");
	FAILS(MR_ENOT_EMPTY, "", mr_delete(m, "jobs", false, &discarded));
	ck_assert_uint_eq(discarded, 0);
	IS(MR_OK, mr_delete(m, "jobs", true, &discarded));
	ck_assert_uint_eq(discarded, 1);
	IS(MR_OK, mr_delete(m, "meet", false, NULL));
	FAILS(MR_ENO_SUCH_CHANNEL, "jobs", mr_stat(m, "jobs", &row));
	ck_assert_ptr_null(row);
}
END_TEST

START_TEST(channels_are_altered)
{
	json_t *row = NULL;

	if (!client_knows(m, "alter"))
		return;
	IS(MR_OK, mr_alter(m, "jobs", &(struct mr_alteration){.capacity = 9}, &row));
	ck_assert_int_eq(json_integer_value(json_object_get(row, "capacity")), 9);
	ck_assert_ptr_null(json_object_get(row, "id"));
	json_decref(row);
	channel("bad", "bounded", 4);
	IS(MR_OK, mr_alter(m, "jobs", &(struct mr_alteration){.max_deliveries = 2, .dead_letter = "bad"}, NULL));
	IS(MR_OK, mr_alter(m, "jobs", &(struct mr_alteration){.no_dead_letter = true}, NULL));
	FAILS(MR_EARGUMENT, "no_dead_letter",
	      mr_alter(m, "jobs", &(struct mr_alteration){.no_dead_letter = true, .max_deliveries = 2}, NULL));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_alter(m, "nowhere", &(struct mr_alteration){.capacity = 9}, NULL));
}
END_TEST

START_TEST(a_delayed_put_counts_at_once_and_comes_later)
{
	const struct mr_put_options later = {.many = true, .delay_ms = 60000};
	struct mr_result result;

	if (!client_knows(m, "delayed_put"))
		return;
	IS(MR_OK, mr_put_with(m, "jobs", &later, "[1,2]", 5, 0, &result));
	ck_assert_uint_eq(result.accepted, 2);
	ck_assert_int_eq(client_stat(m, "jobs", "delayed"), 2);
	IS(MR_TIMEOUT, mr_poll(m, "jobs", NULL));
	IS(MR_OK, mr_put_with(m, "latest", &(struct mr_put_options){.delay_ms = 1}, "3", 1, 0, NULL));
	take_raw("latest", "3");
	FAILS(MR_EBAD_REQUEST, "", mr_put_with(m, "meet", &later, "[1]", 3, 0, NULL));
	FAILS(MR_EARGUMENT, "delay_ms",
	      mr_put_with(m, "jobs", &(struct mr_put_options){.delay_ms = -1}, "1", 1, 0, NULL));
}
END_TEST

START_TEST(leases_are_told)
{
	struct mr_result result;
	json_t *rows = NULL;

	if (!client_knows(m, "move")) /* they came together */
		return;
	put_raw("jobs", "1");
	IS(MR_OK, mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
	IS(MR_OK, mr_leases(m, "jobs", &rows));
	ck_assert_uint_eq(json_array_size(rows), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "channel")), "jobs");
	json_decref(rows);
	mr_result_finish(&result);
}
END_TEST

START_TEST(dead_letters_say_where_they_come_from_and_are_moved_back)
{
	struct mr_definition definition = {.kind = "bounded", .capacity = 4, .max_deliveries = 1, .dead_letter = "bad"};
	struct mr_result result;
	uint64_t moved, left;
	char *json;

	if (!client_knows(m, "move"))
		return;
	channel("bad", "bounded", 4);
	IS(MR_OK, mr_create(m, "work", &definition, NULL, NULL));
	put_raw("work", "1");
	IS(MR_OK, mr_take_with(m, "work", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
	IS(MR_OK, mr_nack(m, result.lease, 0));
	mr_result_finish(&result);
	IS(MR_OK, mr_move(m, "bad", NULL, 0, &moved, &left));
	ck_assert_uint_eq(moved, 1);
	ck_assert_uint_eq(left, 0);
	IS(MR_OK, mr_take_with(m, "work", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
	ck_assert_ptr_null(result.origin);
	IS(MR_OK, mr_nack(m, result.lease, 0));
	mr_result_finish(&result);
	IS(MR_OK, mr_take_with(m, "bad", &(struct mr_take_options){.max = 9}, 0, &result));
	ck_assert_ptr_nonnull(strstr(result.origin, "\"work\""));
	ck_assert_ptr_nonnull(strstr(result.origin, "\"nack\""));
	mr_result_finish(&result);
	put_raw("jobs", "1");
	put_raw("jobs", "2");
	IS(MR_OK, mr_move(m, "jobs", "work", 1, &moved, &left));
	ck_assert_uint_eq(moved, 1);
	ck_assert_uint_eq(left, 1);
	IS(MR_OK, mr_take_raw(m, "work", &json, NULL, 0));
	ck_assert_str_eq(json, "1");
	mr_free(json);
}
END_TEST

START_TEST(lists_are_whole)
{
	enum { N = 1100 }; /* more than one page */
	char name[32], last[32] = "";
	json_t *rows = NULL, *row;
	size_t i;

	for (i = 0; i < N; i++) {
		snprintf(name, sizeof name, "many.%zu", i);
		channel(name, "bounded", 1);
	}
	IS(MR_OK, mr_list(m, "many.*", &rows));
	ck_assert_uint_eq(json_array_size(rows), N);
	json_array_foreach(rows, i, row)
	{
		const char *this = json_string_value(json_object_get(row, "channel"));

		ck_assert_str_lt(last, this);
		snprintf(last, sizeof last, "%s", this);
	}
	json_decref(rows);
	IS(MR_OK, mr_list(m, NULL, &rows));
	ck_assert_uint_eq(json_array_size(rows), N + 5);
	json_decref(rows);
	IS(MR_OK, mr_list(m, "none*", &rows));
	assert_json(rows, "[]");
}
END_TEST

START_TEST(waiters_are_all_told)
{
	enum { N = 1010 }; /* more than one page */
	static mr_request *requests[N];
	mr *other = client_connect(daemon_url(d));
	json_t *rows = NULL;

	for (size_t i = 0; i < N; i++)
		IS(MR_OK, mr_begin_take(m, &requests[i], "meet", 0, MR_FOREVER));
	client_await_parked(other, N);
	IS(MR_OK, mr_waiters(other, "meet", &rows));
	ck_assert_uint_eq(json_array_size(rows), N);
	json_decref(rows);
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_waiters(other, "nowhere", &rows));
	IS(MR_OK, mr_close(other, "meet"));
	for (size_t i = 0; i < N; i++)
		IS(MR_CLOSED, mr_wait(m, requests[i], NULL));
	mr_destroy(other);
}
END_TEST

/* -- requests in flight -- */

static void poll_readable(mr *of)
{
	struct pollfd ready = {.fd = mr_fd(of), .events = POLLIN};

	ck_assert_int_eq(poll(&ready, 1, DAEMON_DEADLINE_MS), 1);
}

START_TEST(begun_now_and_waited_for_later)
{
	mr_request *take, *batch, *put, *many;
	struct mr_result result;

	IS(MR_OK, mr_begin_take(m, &take, "meet", 0, MR_FOREVER));
	IS(MR_OK, mr_begin_take(m, &batch, "jobs", 10, MR_FOREVER));
	ck_assert(!mr_is_done(m, take));
	IS(MR_OK, mr_begin_put(m, &put, "meet", "[ 7]", 4, MR_FOREVER));
	IS(MR_OK, mr_begin_put_many(m, &many, "jobs", "[1,2]", 5, MR_FOREVER));
	while (!mr_is_done(m, many))
		poll_readable(m);
	IS(MR_OK, mr_wait(m, many, &result));
	ck_assert_uint_eq(result.accepted, 2);
	ck_assert_ptr_null(result.raw);
	IS(MR_OK, mr_wait(m, take, &result));
	ck_assert_str_eq(result.raw, "[ 7]");
	ck_assert_uint_eq(result.raw_len, 4);
	mr_result_finish(&result);
	IS(MR_OK, mr_wait(m, batch, &result));
	ck_assert_str_eq(result.raw, "[1,2]");
	mr_result_finish(&result);
	IS(MR_OK, mr_wait(m, put, NULL));
	IS(MR_OK, mr_begin_take(m, &take, "nowhere", 0, MR_FOREVER));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_wait(m, take, &result));
	ck_assert_ptr_null(result.raw);
	IS(MR_OK, mr_begin_take(m, &take, "meet", 0, 1));
	IS(MR_TIMEOUT, mr_wait(m, take, &result));
	IS(MR_OK, mr_begin_take(m, &take, "meet", 0, MR_FOREVER)); /* nobody waits for it: it goes with the handle */
}
END_TEST

struct waiting {
	pthread_t thread;
	mr_request *request;
	int status;
};

static void *wait_in_thread(void *argument)
{
	struct waiting *waiting = argument;

	waiting->status = mr_wait(m, waiting->request, NULL);
	return NULL;
}

START_TEST(cancelled_by_another_thread)
{
	struct waiting waiting = {.status = -1};
	mr *other = client_connect(daemon_url(d));
	mr_request *ended;

	IS(MR_OK, mr_begin_take(m, &waiting.request, "meet", 0, MR_FOREVER));
	pthread_create(&waiting.thread, NULL, wait_in_thread, &waiting);
	client_await_parked(other, 1);
	IS(MR_OK, mr_cancel(m, waiting.request));
	pthread_join(waiting.thread, NULL);
	IS(MR_CANCELLED, waiting.status);
	client_await_parked(other, 0);
	put_raw("jobs", "1");
	IS(MR_OK, mr_begin_take(m, &ended, "jobs", 0, MR_FOREVER));
	FAILS(MR_ENO_SUCH_REQUEST, "", mr_cancel(m, ended));
	IS(MR_OK, mr_wait(m, ended, NULL));
	mr_destroy(other);
}
END_TEST

START_TEST(who_reads_for_the_leader_wakes_it)
{
	struct waiting waiting = {.status = -1};
	mr_request *last;

	for (int i = 0; i < 200; i++) {
		IS(MR_OK, mr_begin_take(m, &waiting.request, "jobs", 0, MR_FOREVER));
		pthread_create(&waiting.thread, NULL, wait_in_thread, &waiting);
		IS(MR_OK, mr_begin_put(m, &last, "jobs", "1", 1, MR_FOREVER));
		while (!mr_is_done(m, last)) /* races the thread for every reply */
			;
		IS(MR_OK, mr_wait(m, last, NULL));
		pthread_join(waiting.thread, NULL);
		IS(MR_OK, waiting.status);
	}
}
END_TEST

/* -- threads that share a handle -- */

enum { PAIRS = 8, ROUNDS = 300 };

static void *put_rounds(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		json_t *value = json_integer(i);

		IS(MR_OK, mr_put(m, argument, value, i % 2 ? MR_FOREVER : 60000));
		json_decref(value);
	}
	return NULL;
}

static void *take_rounds(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		json_t *value = NULL;

		IS(MR_OK, mr_take(m, argument, &value, i % 3 ? MR_FOREVER : 60000));
		ck_assert_int_eq(json_integer_value(value), i);
		json_decref(value);
	}
	return NULL;
}

START_TEST(threads_share_a_handle)
{
	pthread_t putters[PAIRS], takers[PAIRS];
	char names[PAIRS][32];

	for (int i = 0; i < PAIRS; i++) {
		snprintf(names[i], sizeof names[i], "pair.%d", i);
		channel(names[i], i % 2 ? "unbuffered" : "bounded", i % 2 ? 0 : 3);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_create(&takers[i], NULL, take_rounds, names[i]);
		pthread_create(&putters[i], NULL, put_rounds, names[i]);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(takers[i], NULL);
		pthread_join(putters[i], NULL);
	}
}
END_TEST

static void *put_large(void *argument)
{
	size_t len = 900 * 1024;
	char *json = malloc(len);

	(void)argument;
	memset(json, 'y', len);
	json[0] = json[len - 1] = '"';
	for (int i = 0; i < 8; i++)
		IS(MR_OK, mr_put_raw(m, "meet", json, len, 60000));
	free(json);
	return NULL;
}

static void *take_large(void *argument)
{
	(void)argument;
	for (int i = 0; i < 8; i++) {
		size_t len;

		IS(MR_OK, mr_take_raw(m, "meet", NULL, &len, MR_FOREVER));
		ck_assert_uint_eq(len, 900 * 1024);
	}
	return NULL;
}

START_TEST(frames_larger_than_the_sockets_go_both_ways)
{
	enum { N = 4 };
	pthread_t putters[N], takers[N];

	for (int i = 0; i < N; i++) {
		pthread_create(&putters[i], NULL, put_large, NULL);
		pthread_create(&takers[i], NULL, take_large, NULL);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(putters[i], NULL);
		pthread_join(takers[i], NULL);
	}
}
END_TEST

/* -- the end of a connection -- */

static void *take_and_end(void *argument)
{
	json_t *value = NULL;

	*(int *)argument = mr_take(m, "meet", &value, MR_FOREVER);
	ck_assert_ptr_null(value);
	return *mr_message() ? m : NULL;
}

START_TEST(a_daemon_that_is_killed_ends_every_call)
{
	enum { N = 6 };
	mr *other = client_connect(daemon_url(d));
	mr_request *request;
	pthread_t threads[N];
	int statuses[N];
	void *has_words;

	for (int i = 0; i < N; i++)
		pthread_create(&threads[i], NULL, take_and_end, &statuses[i]);
	IS(MR_OK, mr_begin_take(m, &request, "meet", 0, MR_FOREVER));
	client_await_parked(other, N + 1);
	daemon_kill(d);
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], &has_words);
		IS(MR_ECONNECTION, statuses[i]);
		ck_assert_ptr_nonnull(has_words);
	}
	ck_assert(mr_is_done(m, request));
	FAILS(MR_ECONNECTION, "ended", mr_wait(m, request, NULL));
	FAILS(MR_ECONNECTION, "ended", mr_ping(m, MR_FOREVER));
	ck_assert_int_eq(mr_fd(m), -1);
	mr_destroy(other);
	mr_destroy(m);
}
END_TEST

START_TEST(is_done_sees_the_end_by_itself)
{
	mr_request *request;

	IS(MR_OK, mr_begin_take(m, &request, "meet", 0, MR_FOREVER));
	daemon_kill(d);
	while (!mr_is_done(m, request))
		poll_readable(m);
	FAILS(MR_ECONNECTION, "ended", mr_wait(m, request, NULL));
	mr_destroy(m);
}
END_TEST

START_TEST(a_silent_daemon_is_given_up)
{
	uint64_t before_ms;
	mr_request *request;

	IS(MR_OK, mr_begin_take(m, &request, "jobs", 0, MR_FOREVER));
	daemon_signal(d, SIGSTOP);
	before_ms = test_now_ms();
	FAILS(MR_ECONNECTION, "silent", mr_ping(m, 10));
	ck_assert_uint_ge(test_now_ms() - before_ms, 10);
	IS(MR_ECONNECTION, mr_wait(m, request, NULL));
	daemon_signal(d, SIGCONT);
}
END_TEST

/* The promise is a second; what a loaded machine adds is not ours. */
static void silent(mr *made, int (*call)(mr *made, int64_t timeout_ms), int64_t timeout_ms, int expected)
{
	uint64_t begun_ms = test_now_ms();

	IS(expected, call(made, timeout_ms));
	ck_assert_uint_ge(test_now_ms() - begun_ms, (uint64_t)timeout_ms);
	ck_assert_uint_lt(test_now_ms() - begun_ms, (uint64_t)timeout_ms + 10000);
}

static int put_one(mr *made, int64_t timeout_ms)
{
	return mr_put_raw(made, "jobs", "1", 1, timeout_ms);
}

static int take_one(mr *made, int64_t timeout_ms)
{
	return mr_take(made, "jobs", NULL, timeout_ms);
}

START_TEST(a_silent_network_ends_every_call)
{
	static const struct {
		int (*call)(mr *made, int64_t timeout_ms);
		int expected;
	} calls[] = {{mr_ping, MR_ECONNECTION}, {put_one, MR_UNKNOWN}, {take_one, MR_ECONNECTION}};
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made;

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		made = client_connect(proxy_url(proxy));
		proxy_swallow(proxy);
		silent(made, calls[i].call, 20, calls[i].expected);
		mr_destroy(made);
		proxy_cut(proxy);
	}
	proxy_swallow(proxy);
	FAILS(MR_ECONNECT, "silent",
	      mr_connect(&made, proxy_url(proxy), &(struct mr_options){.connect_timeout_ms = 50}));
	proxy_stop(proxy);
}
END_TEST

START_TEST(a_put_that_was_not_answered_is_unknown)
{
	struct mr_arm arms[] = {{.channel = "jobs"}, {.channel = "meet", .raw = "1", .raw_len = 1}};
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = client_connect(proxy_url(proxy));
	mr_request *put, *take;
	struct mr_choice choice;

	IS(MR_OK, mr_begin_put(made, &put, "meet", "1", 1, MR_FOREVER));
	IS(MR_OK, mr_begin_take(made, &take, "jobs", 0, MR_FOREVER));
	client_await_parked(m, 2);
	proxy_cut(proxy);
	FAILS(MR_UNKNOWN, "cannot be known", mr_wait(made, put, NULL));
	FAILS(MR_ECONNECTION, "ended", mr_wait(made, take, NULL));
	FAILS(MR_ECONNECTION, "ended", mr_put_raw(made, "jobs", "1", 1, 0)); /* never sent */
	mr_destroy(made);
	for (size_t n = 1; n <= 2; n++) {
		made = client_connect(proxy_url(proxy));
		proxy_swallow(proxy);
		IS(n == 1 ? MR_ECONNECTION : MR_UNKNOWN, mr_alts(made, arms, n, false, 1, &choice));
		mr_destroy(made);
		proxy_cut(proxy);
	}
	proxy_stop(proxy);
}
END_TEST

/* -- fork -- */

/* The child's part: what it finds is its exit status. */
static int in_a_child(mr_request *begun, mr_consumer *consumer)
{
	struct mr_result result;
	json_t *hello;

	if (mr_put_raw(m, "jobs", "9", 1, 0) != MR_EARGUMENT || !strstr(mr_message(), "fork"))
		return 1;
	if (mr_wait(m, begun, NULL) != MR_EARGUMENT || mr_cancel(m, begun) != MR_EARGUMENT)
		return 2;
	if (mr_consumer_next(consumer, &result, 0) != MR_EARGUMENT || mr_hello(m, &hello) != MR_EARGUMENT)
		return 3;
	if (mr_fd(m) != -1)
		return 4;
	mr_consumer_destroy(consumer);
	mr_destroy(m);
	m = NULL;
	if (mr_connect(&m, daemon_url(d), NULL) != MR_OK || mr_put_raw(m, "jobs", "1", 1, 0) != MR_OK)
		return 5;
	mr_destroy(m);
	return 0;
}

START_TEST(a_child_has_no_part_in_its_parents_handle)
{
	mr_request *begun;
	mr_consumer *consumer;
	int status;

	IS(MR_OK, mr_begin_take(m, &begun, "meet", 0, MR_FOREVER));
	IS(MR_OK, mr_consumer_create(&consumer, m, "latest", NULL));
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(in_a_child(begun, consumer));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child: %d", status);
	take_raw("jobs", "1");
	IS(MR_OK, mr_cancel(m, begun));
	IS(MR_CANCELLED, mr_wait(m, begun, NULL));
	mr_consumer_destroy(consumer);
}
END_TEST

/* -- connecting again -- */

static mr *connect_again(const char *url)
{
	mr *made = NULL;

	IS(MR_OK, mr_connect(&made, url, &(struct mr_options){.reconnect = true}));
	return made;
}

START_TEST(the_next_call_connects_again)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = connect_again(proxy_url(proxy));
	struct mr_definition definition = {.kind = "bounded", .capacity = 1, .ephemeral = true};
	mr_request *take, *put;

	IS(MR_OK, mr_create(made, "mine", &definition, NULL, NULL));
	IS(MR_OK, mr_create(made, "short", &definition, NULL, NULL));
	IS(MR_OK, mr_delete(made, "short", false, NULL));
	IS(MR_OK, mr_begin_take(made, &take, "jobs", 0, MR_FOREVER));
	client_await_parked(m, 1);
	proxy_cut(proxy);
	client_await_parked(m, 0);
	while (!mr_is_done(made, take))
		;
	IS(MR_OK, mr_put_raw(made, "mine", "1", 1, 60000)); /* it is there again */
	FAILS(MR_ENO_SUCH_CHANNEL, "short", mr_put_raw(made, "short", "1", 1, MR_FOREVER));
	IS(MR_OK, mr_begin_put(made, &put, "meet", "1", 1, MR_FOREVER));
	client_await_parked(m, 1);
	FAILS(MR_ENO_SUCH_REQUEST, "ended", mr_cancel(made, take)); /* not whatever has its id now */
	FAILS(MR_ECONNECTION, "ended", mr_wait(made, take, NULL));
	client_take(m, "meet", "1");
	IS(MR_OK, mr_wait(made, put, NULL));
	mr_destroy(made);
	proxy_stop(proxy);
}
END_TEST

START_TEST(while_it_cannot_connect_each_call_says_so_in_time)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = connect_again(proxy_url(proxy));
	uint64_t begun_ms;

	proxy_swallow(proxy);
	IS(MR_ECONNECTION, mr_ping(made, 0));
	for (int i = 0; i < 2; i++) {
		begun_ms = test_now_ms();
		FAILS(MR_ECONNECT, "", mr_ping(made, 10));
		ck_assert_uint_lt(test_now_ms() - begun_ms, 10000);
	}
	proxy_cut(proxy);
	IS(MR_OK, mr_ping(made, MR_FOREVER));
	mr_destroy(made);
	proxy_stop(proxy);
}
END_TEST

/* One value, a batch, and a stream, over a connection that ends early. Whether it did. */
static bool puts_over_a_cut(struct proxy *proxy, size_t from_client, size_t from_daemon)
{
	mr *cuttable;
	mr_producer *producer;
	struct mr_report report;
	json_t *values;
	bool was_cut;

	proxy_cut_after(proxy, from_client, from_daemon);
	cuttable = connect_again(proxy_url(proxy));
	was_cut = mr_put_raw(cuttable, "all", "1", 1, MR_FOREVER) != MR_OK;
	IS(MR_OK, mr_put_many_raw(cuttable, "all", "[2,3]", 5, MR_FOREVER, NULL));
	IS(MR_OK, mr_producer_create(&producer, cuttable, "all", 0));
	for (char digit = '4'; digit <= '7'; digit++)
		IS(MR_OK, mr_producer_put_raw(producer, &digit, 1, MR_MORE, MR_FOREVER));
	IS(MR_OK, mr_producer_flush(producer, &report, MR_FOREVER));
	ck_assert_uint_eq(report.put, 4);
	ck_assert_uint_eq(report.failed + report.unknown, 0);
	mr_producer_destroy(producer);
	IS(MR_OK, mr_take_many(m, "all", 100, &values, 0));
	assert_json(values, "[1,2,3,4,5,6,7]");
	ck_assert(!was_cut);
	was_cut = proxy_was_cut(proxy);
	mr_destroy(cuttable);
	return was_cut;
}

/* Every byte is in the machine's own test, and in the parking client's. Here the pauses between connections take time.
 */
START_TEST(a_cut_loses_no_put_and_doubles_none)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	int n_cuts = 0;

	if (!client_knows(m, "once")) {
		proxy_stop(proxy);
		return;
	}
	channel("all", "bounded", 100);
	for (size_t at = 90; puts_over_a_cut(proxy, at, SIZE_MAX); at += 17)
		n_cuts++;
	for (size_t at = 300; puts_over_a_cut(proxy, SIZE_MAX, at); at += 11) /* behind the hello */
		n_cuts++;
	ck_assert_int_gt(n_cuts, 20);
	proxy_stop(proxy);
}
END_TEST

static void *put_through_cuts(void *argument)
{
	mr *made = argument;
	intptr_t n_ok = 0;

	for (int i = 0; i < 200; i++) {
		int status = mr_put_raw(made, "latest", "1", 1, i % 2 ? 60000 : MR_FOREVER);

		n_ok += status == MR_OK;
		ck_assert_msg(status == MR_OK || status == MR_UNKNOWN || status == MR_ECONNECTION ||
				      status == MR_ECONNECT,
			      "%s: %s", mr_status_name(status), mr_message());
	}
	return (void *)n_ok;
}

START_TEST(threads_share_a_handle_whose_connection_is_cut)
{
	struct proxy *proxy = proxy_start(daemon_port(d));
	mr *made = connect_again(proxy_url(proxy));
	pthread_t threads[PAIRS];
	void *n_ok;

	for (int i = 0; i < PAIRS; i++)
		pthread_create(&threads[i], NULL, put_through_cuts, made);
	for (int64_t accepted = 0, i = 0; i < 5; i++) {
		while (client_stat(m, "latest", "accepted") < accepted + 50) /* somebody has come through */
			;
		accepted = client_stat(m, "latest", "accepted");
		proxy_cut(proxy);
	}
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(threads[i], &n_ok);
		ck_assert_int_gt((intptr_t)n_ok, 0);
	}
	IS(MR_OK, mr_ping(made, MR_FOREVER));
	mr_destroy(made);
	proxy_stop(proxy);
}
END_TEST

/* -- words -- */

START_TEST(every_status_has_a_name)
{
	static const int errors[] = {MR_ECONNECT, MR_ECONNECTION, MR_EPROTOCOL, MR_EARGUMENT,
				     MR_EMEMORY,  MR_EJSON,       MR_UNKNOWN,   MR_EFULL};

	ck_assert_str_eq(mr_status_name(MR_OK), "ok");
	ck_assert_str_eq(mr_status_name(MR_CANCELLED), "cancelled");
	ck_assert_str_eq(mr_status_name(MR_EBAD_JSON), "bad_json");
	ck_assert_str_eq(mr_status_name(MR_EINTERNAL), "internal");
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		ck_assert_str_ne(mr_status_name(errors[i]), "unknown");
	for (int status = MR_EINTERNAL; status <= MR_CANCELLED; status++)
		ck_assert_str_ne(mr_status_name(status), "unknown");
	ck_assert_str_eq(mr_status_name(MR_CANCELLED + 1), "unknown");
	ck_assert_str_eq(mr_status_name(MR_EUNAVAILABLE - 1), "unknown");
	ck_assert_str_eq(mr_status_name(-99999), "unknown");
	ck_assert_str_eq(mr_version(), MILLRACE_VERSION);
	mr_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client and daemon");
	const TTest *const tests[] = {
		connects_by_every_address,
		the_first_address_that_can_be_had_is_chosen,
		says_why_it_cannot_connect,
		gives_up_on_who_never_says_hello,
		knows_what_is_no_daemon,
		a_status_that_is_not_expected_leaves_nothing_behind,
		values_are_json,
		values_keep_their_bytes,
		what_jansson_cannot_hold_is_given_as_bytes,
		what_jansson_cannot_hold_fails_alone_among_many,
		what_jansson_cannot_hold_can_be_given_back,
		every_status_of_a_put_and_a_take,
		impossible_arguments_are_never_sent,
		a_value_of_a_whole_frame_and_one_byte_too_many,
		batches,
		alts_of_every_outcome,
		channels_are_made_and_removed,
		channels_are_altered,
		a_delayed_put_counts_at_once_and_comes_later,
		leases_are_told,
		dead_letters_say_where_they_come_from_and_are_moved_back,
		lists_are_whole,
		waiters_are_all_told,
		begun_now_and_waited_for_later,
		cancelled_by_another_thread,
		who_reads_for_the_leader_wakes_it,
		threads_share_a_handle,
		frames_larger_than_the_sockets_go_both_ways,
		a_silent_daemon_is_given_up,
		a_silent_network_ends_every_call,
		a_put_that_was_not_answered_is_unknown,
		a_child_has_no_part_in_its_parents_handle,
		a_cut_loses_no_put_and_doubles_none,
		the_next_call_connects_again,
		while_it_cannot_connect_each_call_says_so_in_time,
		threads_share_a_handle_whose_connection_is_cut,
		NULL,
	};
	const TTest *const ends[] = {a_daemon_that_is_killed_ends_every_call, is_done_sees_the_end_by_itself,
				     NULL}; /* nothing is left to stop */
	const TTest *const words[] = {every_status_has_a_name, NULL};

	suite_case(suite, "calls", setup, teardown, tests);
	suite_case(suite, "ends", setup, NULL, ends);
	suite_case(suite, "words", NULL, NULL, words);
	return suite_run(suite);
}
