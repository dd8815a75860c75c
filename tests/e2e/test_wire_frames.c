/* Frames as they really arrive: split, run together, too large, cut off, nonsense. The daemon answers what it can, ends
 * what it must, and goes on for everybody else. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/wire.h"

static struct daemon *d;
static struct wire *witness; /* another client, who has to be served whatever happens */

static void setup(void)
{
	d = daemon_start((const char *[]){"--set", "channels.jobs={kind: bounded, capacity: 100000}", "--set",
					  "channels.meet={kind: unbuffered}", NULL});
	witness = wire_connect(d);
}

static void teardown(void)
{
	wire_sync(witness);
	wire_close(witness);
	daemon_stop(d);
}

/* -- split and coalesced -- */

START_TEST(bytes_one_by_one_are_frames_all_the_same)
{
	struct wire *w = wire_connect(d);
	char *bytes = NULL;
	size_t len = 0;
	wire_frame(&bytes, &len, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":{\"a\": [1,2]}}");
	wire_frame(&bytes, &len, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\"}");
	wire_frame(&bytes, &len, "{\"id\":3,\"op\":\"ping\"}");
	for (size_t i = 0; i < len; i++)
		wire_send_bytes(w, bytes + i, 1);
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"ok\"}");
	wire_expect_exactly(w, "{\"id\":2,\"status\":\"ok\",\"value\":{\"a\":[1,2]}}");
	wire_expect_exactly(w, "{\"id\":3,\"status\":\"ok\"}");
	free(bytes);
	wire_close(w);
}
END_TEST

START_TEST(a_pair_of_frames_may_be_split_anywhere)
{
	struct wire *w = wire_connect(d);
	char *bytes = NULL;
	size_t len = 0;
	wire_frame(&bytes, &len, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":\"\\u00e9\"}");
	wire_frame(&bytes, &len, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\"}");
	for (size_t i = 1; i < len; i++) {
		wire_send_bytes(w, bytes, i);
		wire_sync(witness); /* a turn of the daemon's loop in between */
		wire_send_bytes(w, bytes + i, len - i);
		wire_expect(w, "{\"id\":1,\"status\":\"ok\"}");
		wire_expect_bytes(w, "\"value\":\"\\u00e9\"");
	}
	free(bytes);
	wire_close(w);
}
END_TEST

START_TEST(thousands_of_requests_may_be_pipelined)
{
	enum { N = 5000 };
	struct wire *w = wire_connect(d);
	char *bytes = NULL, text[128];
	size_t len = 0;
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "{\"id\":%d,\"op\":\"put\",\"channel\":\"jobs\",\"value\":%d}", 2 * i, i);
		wire_frame(&bytes, &len, text);
		snprintf(text, sizeof(text), "{\"id\":%d,\"op\":\"take\",\"channel\":\"jobs\"}", 2 * i + 1);
		wire_frame(&bytes, &len, text);
	}
	wire_send_bytes(w, bytes, len);
	/* Nothing parks, so each reply to a put comes before the next request's of its kind; takes and puts may be told
	 * apart in writing. */
	int puts = 0, takes = 0;
	for (int i = 0; i < 2 * N; i++) {
		json_t *reply = wire_recv_json(w);
		json_int_t id = json_integer_value(json_object_get(reply, "id"));
		ck_assert_str_eq(json_string_value(json_object_get(reply, "status")), "ok");
		if (id % 2 == 0) {
			ck_assert_int_eq(id, 2 * puts++);
		} else {
			ck_assert_int_eq(json_integer_value(json_object_get(reply, "value")), takes);
			ck_assert_int_eq(id, 2 * takes++ + 1);
		}
		json_decref(reply);
	}
	free(bytes);
	wire_close(w);
}
END_TEST

START_TEST(a_frame_of_the_largest_size_is_carried_out)
{
	struct wire *w = wire_connect(d);
	static const char head[] = "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":\"";
	enum { MAX = 1 << 20 };
	char *body = malloc(MAX);
	memset(body, 'x', MAX);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + MAX - 2, "\"}", 2);
	wire_send_frame(w, body, MAX);
	wire_expect(w, "{\"id\":1,\"status\":\"ok\"}");
	wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\"}");
	const char *value = strstr(wire_recv(w), "\"x");
	ck_assert_ptr_nonnull(value);
	ck_assert_uint_eq(strspn(value + 1, "x"), MAX - 2 - (sizeof(head) - 1));
	free(body);
	wire_close(w);
}
END_TEST

/* -- wrong lengths -- */

START_TEST(an_empty_frame_is_bad_json_and_the_connection_goes_on)
{
	struct wire *w = wire_connect(d);
	wire_send_bytes(w, "\0\0\0\0", 4);
	wire_expect_error(w, -1, "bad_json", "");
	wire_send_bytes(w, "\0\0\0\0\0\0\0\0", 8);
	wire_expect_error(w, -1, "bad_json", "");
	wire_expect_error(w, -1, "bad_json", "");
	wire_sync(w);
	wire_close(w);
}
END_TEST

/* What other protocols begin with. The first byte of a frame is 0, so all of these are lengths far over the limit. */
static const struct opening {
	const char *bytes;
	size_t len;
} openings[] = {
#define OPENING(literal)                                                                                               \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
	OPENING("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 the rest of a ClientHello"),
	OPENING("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	OPENING("help\r\n"),
	OPENING("SSH-2.0-OpenSSH_9.2\r\n"),
	OPENING("*1\r\n$4\r\nPING\r\n"),
	OPENING("{\"id\":1,\"op\":\"ping\"}\n"),
	OPENING("\xff\xff\xff\xff"),
	OPENING("\x80\x00\x00\x00"),
	OPENING("\x00\x10\x00\x01"), /* one over the default limit */
	OPENING("\x00\xff\xff\xff"),
};

START_TEST(what_is_too_large_is_told_and_ends_the_connection)
{
	const struct opening *opening = &openings[_i];
	struct wire *w = wire_connect(d);
	wire_send(w, "{\"id\":1,\"op\":\"ping\"}");
	wire_send_bytes(w, opening->bytes, opening->len);
	wire_expect_exactly(w, "{\"id\":1,\"status\":\"ok\"}");
	wire_expect_error(w, -1, "frame_too_large", "");
	wire_closed(w);
	wire_close(w);
}
END_TEST

START_TEST(the_reply_arrives_though_the_peer_is_still_sending)
{
	enum { REST = 512 * 1024 };
	struct wire *w = wire_connect(d);
	char *rest = calloc(1, REST);
	memcpy(rest, "\x7f\xff\xff\xff", 4);
	wire_send_bytes(w, rest, REST);
	wire_expect_error(w, -1, "frame_too_large", "");
	wire_closed(w);
	free(rest);
	wire_close(w);
}
END_TEST

START_TEST(frames_behind_one_that_is_too_large_are_not_carried_out)
{
	struct wire *w = wire_connect(d);
	char *bytes = NULL;
	size_t len = 0;
	wire_frame(&bytes, &len, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":1}");
	wire_send_bytes(w, "\xff\xff\xff\xff", 4);
	wire_try_send_bytes(w, bytes, len);
	wire_expect_error(w, -1, "frame_too_large", "");
	wire_closed(w);
	wire_ask(witness, "{\"id\":1,\"op\":\"stat\",\"channel\":\"jobs\"}", "{\"status\":\"ok\",\"accepted\":0}");
	free(bytes);
	wire_close(w);
}
END_TEST

/* Sends a byte now and then until it is refused: the connection is wholly closed. Returns after how long. */
static uint64_t wait_refused(struct wire *w)
{
	uint64_t start_ms = test_now_ms();
	struct pollfd fd = {.fd = wire_fd(w), .events = 0};
	while (wire_try_send_bytes(w, "x", 1)) {
		ck_assert_msg(test_now_ms() - start_ms < WIRE_DEADLINE_MS, "the daemon still reads");
		poll(&fd, 1, 20); /* wakes at once on a reset */
		if (fd.revents & (POLLERR | POLLHUP))
			break;
	}
	return test_now_ms() - start_ms;
}

START_TEST(after_too_large_a_peer_that_stays_is_closed_within_a_second_or_so)
{
	struct wire *w = wire_connect(d);
	wire_send_bytes(w, "\xff\xff\xff\xff", 4);
	wire_expect_error(w, -1, "frame_too_large", "");
	wire_closed(w);
	ck_assert_uint_lt(wait_refused(w), 10000);
	wire_close(w);
}
END_TEST

START_TEST(after_too_large_a_peer_that_floods_is_closed)
{
	enum { CHUNK = 65536 };
	struct wire *w = wire_connect(d);
	char *chunk = calloc(1, CHUNK);
	wire_send_bytes(w, "\xff\xff\xff\xff", 4);
	size_t sent = 0;
	while (wire_try_send_bytes(w, chunk, CHUNK))
		ck_assert_uint_lt(sent += CHUNK, 256u << 20);
	free(chunk);
	wire_close(w);
}
END_TEST

/* -- ends of connections -- */

START_TEST(a_half_closed_peer_gets_its_replies)
{
	struct wire *w = wire_connect(d);
	char *bytes = NULL, text[128];
	size_t len = 0;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"id\":%d,\"op\":\"put\",\"channel\":\"jobs\",\"value\":%d}", i, i);
		wire_frame(&bytes, &len, text);
	}
	wire_send_bytes(w, bytes, len);
	wire_end_sending(w);
	for (int i = 0; i < 1000; i++)
		wire_expectf(w, "{\"id\":%d,\"status\":\"ok\"}", i);
	wire_closed(w);
	wire_ask(witness, "{\"id\":1,\"op\":\"stat\",\"channel\":\"jobs\"}", "{\"accepted\":1000,\"buffered\":1000}");
	free(bytes);
	wire_close(w);
}
END_TEST

START_TEST(a_half_closed_peer_waits_no_longer)
{
	struct wire *w = wire_connect(d);
	wire_send(w, "{\"id\":1,\"op\":\"take\",\"channel\":\"meet\"}");
	wire_send(w, "{\"id\":2,\"op\":\"create\",\"channel\":\"mine\",\"kind\":\"unbuffered\",\"ephemeral\":true}");
	wire_end_sending(w);
	wire_expect(w, "{\"id\":2,\"status\":\"ok\",\"created\":true}");
	wire_closed(w);
	wire_ask(witness, "{\"id\":1,\"op\":\"stat\",\"channel\":\"meet\"}", "{\"status\":\"ok\",\"parked_takes\":0}");
	wire_ask_error(witness, "{\"id\":1,\"op\":\"stat\",\"channel\":\"mine\"}", 1, "no_such_channel", "mine");
	wire_close(w);
}
END_TEST

/* Asks until the channel has as many parked takes: the only sign that others see of a connection's end. */
static void wait_parked_takes(int n)
{
	uint64_t deadline_ms = test_now_ms() + WIRE_DEADLINE_MS;
	json_int_t there;
	do {
		ck_assert_msg(test_now_ms() < deadline_ms, "there never were %d parked takes", n);
		wire_send(witness, "{\"id\":1,\"op\":\"stat\",\"channel\":\"meet\"}");
		json_t *row = wire_recv_json(witness);
		there = json_integer_value(json_object_get(row, "parked_takes"));
		json_decref(row);
	} while (there != n);
}

START_TEST(a_peer_that_dies_within_a_frame_takes_nothing_with_it)
{
	struct wire *w[3];
	for (int i = 0; i < 3; i++) {
		w[i] = wire_connect(d);
		wire_send(w[i], "{\"id\":1,\"op\":\"take\",\"channel\":\"meet\"}");
		wire_send_bytes(w[i], "\0\0\0\x40{\"id\":2,\"op\":\"put\",\"channel\":\"jobs\",\"val",
				(size_t[]){2, 20, 44}[i]);
	}
	wait_parked_takes(3);
	wire_close(w[0]);
	wire_reset(w[1]);
	wire_end_sending(w[2]);
	wire_closed(w[2]);
	wire_close(w[2]);
	wait_parked_takes(0);
	/* What is put now is for the living. */
	wire_ask(witness, "{\"id\":2,\"op\":\"put\",\"channel\":\"meet\",\"value\":1,\"timeout_ms\":0}",
		 "{\"id\":2,\"status\":\"timeout\"}");
	wire_ask(witness, "{\"id\":3,\"op\":\"stat\",\"channel\":\"jobs\"}", "{\"accepted\":0}");
}
END_TEST

START_TEST(whole_frames_before_a_death_are_carried_out)
{
	struct wire *w = wire_connect(d);
	wire_send(witness, "{\"id\":7,\"op\":\"take\",\"channel\":\"meet\"}");
	wait_parked_takes(1);
	wire_send(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"meet\",\"value\":\"last words\"}");
	wire_send_bytes(w, "\0\0", 2);
	wire_close(w);
	wire_expect(witness, "{\"id\":7,\"status\":\"ok\",\"value\":\"last words\"}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire frames");
	TCase *loop = tcase_create("other protocols");
	tcase_set_timeout(loop, SUITE_TIMEOUT_S);
	tcase_add_checked_fixture(loop, setup, teardown);
	tcase_add_loop_test(loop, what_is_too_large_is_told_and_ends_the_connection, 0,
			    (int)(sizeof(openings) / sizeof(openings[0])));
	suite_add_tcase(suite, loop);
	suite_case(suite, "frames", setup, teardown,
		   (const TTest *const[]){
			   bytes_one_by_one_are_frames_all_the_same, a_pair_of_frames_may_be_split_anywhere,
			   thousands_of_requests_may_be_pipelined, a_frame_of_the_largest_size_is_carried_out,
			   an_empty_frame_is_bad_json_and_the_connection_goes_on,
			   the_reply_arrives_though_the_peer_is_still_sending,
			   frames_behind_one_that_is_too_large_are_not_carried_out,
			   after_too_large_a_peer_that_stays_is_closed_within_a_second_or_so,
			   after_too_large_a_peer_that_floods_is_closed, NULL});
	suite_case(suite, "ends", setup, teardown,
		   (const TTest *const[]){a_half_closed_peer_gets_its_replies, a_half_closed_peer_waits_no_longer,
					  a_peer_that_dies_within_a_frame_takes_nothing_with_it,
					  whole_frames_before_a_death_are_carried_out, NULL});
	return suite_run(suite);
}
