/* Streams that speak TLS, without the sessions above them: what a peer's records can make of a turn, and what its
 * connection takes of max_buffers. */
#define _GNU_SOURCE
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/net/loop.h"
#include "daemon/net/stream.h"
#include "daemon/net/stream_group.h"
#include "daemon/net/tls.h"
#include "tests/lib/certificates.h"
#include "tests/lib/daemon.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

enum {
	RECORDS = 1000,
	MAX_TURNS = 10000,
	MOST_RECORDS_A_TURN = 128, /* as tls.c has it */
	MAX_OUTPUT = 1 << 20,
};

static struct loop *loop;
static struct stream_group *streams;
static struct tls_context *context;
static SSL_CTX *client_context;
static char *directory;

struct connection {
	struct stream stream; /* must come first */
	int fd;               /* of the peer */
	SSL *peer;
	size_t read; /* bytes that on_bytes has got */
	bool is_gone;
};

static struct connection first, second;

/* -- The daemon's side -- */

static size_t read_all(struct stream *stream, char *bytes, size_t len)
{
	(void)bytes;
	((struct connection *)stream)->read += len;
	return len;
}

static size_t keep_all(struct stream *stream, char *bytes, size_t len)
{
	(void)bytes;
	((struct connection *)stream)->read += len;
	return 0;
}

static void no_matter(struct stream *stream)
{
	(void)stream;
}

static void on_gone(struct stream *stream)
{
	((struct connection *)stream)->is_gone = true;
	stream_finish(stream);
}

static const struct stream_handlers taking = {read_all, no_matter, no_matter, on_gone, stream_refuse, NULL, NULL};
static const struct stream_handlers keeping = {keep_all, no_matter, no_matter, on_gone, stream_refuse, NULL, NULL};

static void on_turn_end(void *arg)
{
	(void)arg;
}

static void check(const struct connection *connection)
{
	const char *fault = connection->peer && !connection->is_gone ? stream_check(&connection->stream) : NULL;
	ck_assert_msg(!fault, "%s", fault);
}

static void turn(void)
{
	ck_assert_int_eq(loop_poll(loop, on_turn_end, NULL), 0);
	check(&first);
	check(&second);
}

/* -- The peer's -- */

static void open_connection(struct connection *connection, const struct stream_handlers *handlers)
{
	int pair[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	*connection = (struct connection){.fd = pair[1], .peer = SSL_new(client_context)};
	SSL_set_bio(connection->peer, BIO_new_socket(pair[1], BIO_NOCLOSE), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(connection->peer);
	ck_assert_int_eq(stream_init(&connection->stream, streams, pair[0], context, MAX_OUTPUT, handlers), 0);
}

/* Sends, in one piece, what the peer's OpenSSL has written. */
static void flush(struct connection *connection)
{
	char *bytes;
	BIO *out = SSL_get_wbio(connection->peer);
	size_t len = (size_t)BIO_get_mem_data(out, &bytes);
	ck_assert_int_eq(write(connection->fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(BIO_reset(out), 1);
}

static void shake_hands(struct connection *connection)
{
	for (int i = 0; SSL_do_handshake(connection->peer) != 1 || stream_is_opening(&connection->stream); i++) {
		flush(connection);
		turn();
		ck_assert_int_lt(i, MAX_TURNS);
	}
}

static void close_connection(struct connection *connection)
{
	if (!connection->peer)
		return;
	SSL_free(connection->peer);
	close(connection->fd);
	for (int i = 0; !connection->is_gone; i++) {
		turn();
		ck_assert_int_lt(i, MAX_TURNS);
	}
}

static void say(struct connection *connection, const void *bytes, int len)
{
	ck_assert_int_eq(SSL_write(connection->peer, bytes, len), len);
	flush(connection);
}

/* Runs turns until so many bytes have been read; returns how many turns there were. */
static int turns_until_read(struct connection *connection, size_t bytes)
{
	int turns = 0;
	for (; connection->read < bytes; turns++) {
		turn();
		ck_assert_int_lt(turns, MAX_TURNS);
	}
	return turns;
}

static void setup(void)
{
	char error[TLS_ERROR_BYTES], cert[256], key[256];
	fake_system.now_us = 1000000;
	directory = directory_create();
	certificate_write(directory, "server", "localhost");
	snprintf(cert, sizeof(cert), "%s/server.pem", directory);
	snprintf(key, sizeof(key), "%s/server.key", directory);
	context = tls_context_create(&(struct tls_settings){.cert = cert, .key = key}, error);
	ck_assert_msg(context != NULL, "%s", error);
	client_context = SSL_CTX_new(TLS_client_method());
	loop = loop_create();
	streams = stream_group_create(loop);
	ck_assert(loop && streams && client_context);
}

static void teardown(void)
{
	close_connection(&first);
	close_connection(&second);
	ck_assert_uint_eq(stream_group_buffer_bytes(streams), 0);
	stream_group_destroy(streams);
	loop_destroy(loop);
	tls_context_destroy(context);
	SSL_CTX_free(client_context);
	directory_destroy(directory);
	fake_system.now_us = 0;
}

/* -- Turns -- */

START_TEST(records_without_data_are_handled_some_a_turn)
{
	open_connection(&first, &taking);
	shake_hands(&first);
	for (int i = 0; i < RECORDS; i++) {
		ck_assert_int_eq(SSL_key_update(first.peer, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(first.peer), 1);
	}
	say(&first, "x", 1);
	ck_assert_int_ge(turns_until_read(&first, 1), RECORDS / MOST_RECORDS_A_TURN);
}
END_TEST

START_TEST(records_of_a_byte_are_handled_some_a_turn)
{
	open_connection(&first, &taking);
	shake_hands(&first);
	for (int i = 0; i < RECORDS; i++)
		ck_assert_int_eq(SSL_write(first.peer, "x", 1), 1);
	flush(&first);
	ck_assert_int_ge(turns_until_read(&first, RECORDS), RECORDS / MOST_RECORDS_A_TURN);
}
END_TEST

START_TEST(updates_that_want_an_answer_go_on_when_there_is_room_for_it)
{
	int bytes = 4096;
	open_connection(&first, &taking);
	setsockopt(first.stream.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	shake_hands(&first);
	for (int i = 0; i < RECORDS; i++) {
		ck_assert_int_eq(SSL_key_update(first.peer, SSL_KEY_UPDATE_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(first.peer), 1);
	}
	say(&first, "x", 1);
	char none;
	for (int i = 0; first.read < 1; i++) {
		turn();
		if (i > 100) /* by then the answers fill the socket: now they are read */
			ck_assert_int_le(SSL_read(first.peer, &none, 1), 0);
		ck_assert_int_lt(i, MAX_TURNS);
	}
}
END_TEST

START_TEST(a_large_record_comes_whole_however_it_is_cut)
{
	static char large[100000];
	open_connection(&first, &taking);
	shake_hands(&first);
	say(&first, large, sizeof(large));
	fake_system.max_bytes = 1000;
	turns_until_read(&first, sizeof(large));
	ck_assert_uint_eq(first.read, sizeof(large));
	fake_system.max_bytes = 0;
}
END_TEST

/* -- What is referred to -- */

enum { PIECE_BYTES = 300000, ANSWER_BYTES = PIECE_BYTES + 10 };

static char piece[PIECE_BYTES];
static unsigned released;

static void release(void *owner)
{
	++*(unsigned *)owner;
}

static size_t refer(struct stream *stream, char *bytes, size_t len)
{
	(void)bytes;
	struct buffer *out = stream_output(stream, PIECE_BYTES);
	memset(piece, 'p', sizeof(piece));
	buffer_append(out, "begin", 5);
	ck_assert(stream_refer(stream, piece, sizeof(piece), &released));
	buffer_append(out, "end..", 5);
	return len;
}

static const struct stream_handlers referring = {refer, no_matter, no_matter, on_gone, stream_refuse, NULL, release};

START_TEST(what_is_referred_to_comes_by_tls_too_however_it_is_cut)
{
	static char got[ANSWER_BYTES];
	int bytes = 4096, len = 0;
	open_connection(&first, &referring);
	setsockopt(first.stream.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	shake_hands(&first);
	say(&first, "x", 1);
	fake_system.max_bytes = 7000;
	fake_system.again = 3;
	for (int i = 0; len < ANSWER_BYTES; i++) {
		turn();
		int n = SSL_read(first.peer, got + len, ANSWER_BYTES - len);
		len += n > 0 ? n : 0;
		ck_assert_uint_eq(released, stream_sent(&first.stream) >= 5 + PIECE_BYTES);
		ck_assert_int_lt(i, MAX_TURNS);
	}
	fake_system.max_bytes = fake_system.again = 0;
	ck_assert_mem_eq(got, "begin", 5);
	ck_assert_mem_eq(got + 5, piece, PIECE_BYTES);
	ck_assert_mem_eq(got + 5 + PIECE_BYTES, "end..", 5);
	ck_assert_uint_eq(released, 1);
}
END_TEST

/* -- Memory -- */

START_TEST(what_tls_takes_is_counted)
{
	open_connection(&first, &taking);
	ck_assert_uint_ge(stream_group_buffer_bytes(streams), TLS_HANDSHAKE_BYTES);
	shake_hands(&first);
	turn();
	ck_assert_uint_eq(stream_group_buffer_bytes(streams), TLS_CONNECTION_BYTES);
	static const char part[10000] = {0x17, 3, 3, 0x40, 0}; /* of a record of 16 KiB */
	ck_assert_int_eq(write(first.fd, part, sizeof(part)), sizeof(part));
	turn();
	ck_assert_uint_ge(stream_group_buffer_bytes(streams), TLS_CONNECTION_BYTES + sizeof(part));
}
END_TEST

START_TEST(who_does_not_shake_hands_goes_first)
{
	open_connection(&first, &taking);
	open_connection(&second, &taking);
	stream_group_set_max_buffers(streams, TLS_HANDSHAKE_BYTES + TLS_CONNECTION_BYTES);
	shake_hands(&second);
	turn();
	ck_assert(first.is_gone);
	ck_assert(!second.is_gone);
	say(&second, "x", 1);
	turns_until_read(&second, 1);
}
END_TEST

START_TEST(who_keeps_a_part_of_a_frame_goes_before_who_has_moved)
{
	static const char part[5000];
	open_connection(&first, &keeping);
	open_connection(&second, &taking);
	shake_hands(&first);
	shake_hands(&second);
	say(&first, part, sizeof(part));
	turns_until_read(&first, sizeof(part));
	stream_group_set_max_buffers(streams, 2 * TLS_CONNECTION_BYTES + 1000);
	say(&second, "x", 1);
	turns_until_read(&second, 1);
	ck_assert_int_ne(first.stream.state, STREAM_OPEN);
	ck_assert_int_eq(second.stream.state, STREAM_OPEN);
}
END_TEST

START_TEST(where_nobody_could_be_closed_for_it_nobody_new_comes)
{
	struct stream stream;
	open_connection(&first, &taking);
	shake_hands(&first);
	turn();
	stream_group_set_max_buffers(streams, TLS_CONNECTION_BYTES - 1);
	ck_assert_int_eq(stream_init(&stream, streams, first.fd, context, MAX_OUTPUT, &taking), -1);
	ck_assert(!first.is_gone);
}
END_TEST

int main(void)
{
	const TTest *const turns[] = {
		records_without_data_are_handled_some_a_turn,
		records_of_a_byte_are_handled_some_a_turn,
		updates_that_want_an_answer_go_on_when_there_is_room_for_it,
		a_large_record_comes_whole_however_it_is_cut,
		NULL,
	};
	const TTest *const memory[] = {
		what_tls_takes_is_counted,
		who_does_not_shake_hands_goes_first,
		who_keeps_a_part_of_a_frame_goes_before_who_has_moved,
		where_nobody_could_be_closed_for_it_nobody_new_comes,
		NULL,
	};
	const TTest *const references[] = {what_is_referred_to_comes_by_tls_too_however_it_is_cut, NULL};
	Suite *suite = suite_create("net: TLS");
	suite_case(suite, "turns", setup, teardown, turns);
	suite_case(suite, "references", setup, teardown, references);
	suite_case(suite, "memory", setup, teardown, memory);
	return suite_run(suite);
}
