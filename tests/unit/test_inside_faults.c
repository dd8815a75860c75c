/* The daemon's inside under a system that fails: loop, streams, sessions and core in this process, over socket pairs.
 * Each allocation of a whole session fails in turn, alone and with those that follow; every recv() and send() is short,
 * or says EAGAIN or EINTR. Nobody is harmed but who has to be: invariants and books hold, what a client has read is
 * whole replies of its own, and nothing leaks. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/core/rows.h"
#include "daemon/session/frame_wire.h"
#include "proto/frame.h"
#include "tests/lib/inside.h"
#include "tests/lib/memory.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

enum { N_CLIENTS = 4, LARGE_BYTES = 40000 };

struct peer {
	int fd;
	struct buffer in;
	size_t n_replies;
};

static struct inside inside;
static struct peer peers[N_CLIENTS];
static char said[4096]; /* what client d has been told, each reply in brackets */

/* Everything that allocates: frames in pieces, batches, parking, alts, output that is more than a stream may hold, ends
 * of all kinds. "*" is a put of a large value; client d is not in it. */
static const char *const session[] = {
	"a{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"name\":\"first\"}",
	"a{\"id\":2,\"op\":\"put\",\"channel\":\"b\",\"values\":[1,2,3,4,5]}",
	"b{\"id\":1,\"op\":\"take\",\"channel\":\"a\",\"timeout_ms\":50}",
	"c{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"a\"},{\"put\":\"a\",\"value\":\"x\"},{\"take\":\"e\"}]}",
	"b{\"id\":2,\"op\":\"create\",\"channel\":\"t\",\"kind\":\"bounded\",\"capacity\":2,\"ephemeral\":true}",
	"b{\"id\":3,\"op\":\"create\",\"kind\":\"bounded\",\"capacity\":2,\"ephemeral\":true}",
	"a{\"id\":3,\"op\":\"take\",\"channel\":\"b\",\"max\":3}",
	"a{\"id\":4,\"op\":\"put\",\"channel\":\"d\",\"values\":[6,7,8]}",
	"a{\"id\":5,\"op\":\"list\"}",
	"b{\"id\":4,\"op\":\"waiters\"}",
	"a{\"id\":6,\"op\":\"take\",\"channel\":\"b\",\"count\":4}",
	"c{\"id\":2,\"op\":\"put\",\"channel\":\"e\",\"value\":\"promised\"}",
	"c{\"id\":3,\"op\":\"put\",\"channel\":\"a\",\"value\":9}",
	"c{\"id\":4,\"op\":\"cancel\",\"request\":3}",
	"c{\"op\":\"put\",\"channel\":\"nowhere\",\"value\":9}",
	"a{\"id\":10,\"op\":\"take\",\"channel\":\"d\",\"max\":2,\"lease_ms\":40}",
	"b{\"id\":6,\"op\":\"put\",\"channel\":\"x\",\"values\":[1,2,3]}",
	"b{\"id\":7,\"op\":\"take\",\"channel\":\"x\",\"lease_ms\":40,\"sticky\":true}",
	"b{\"id\":8,\"op\":\"alts\",\"arms\":[{\"take\":\"x\"}],\"lease_ms\":90000}",
	"*c",
	"a{\"id\":7,\"op\":\"peek\",\"channel\":\"d\",\"max\":9}",
	"a{\"id\":8,\"op\":\"peek\",\"channel\":\"d\",\"max\":9}",
	"a{\"id\":9,\"op\":\"peek\",\"channel\":\"d\",\"max\":9}",
	"c{\"id\":11,\"op\":\"take\",\"channel\":\"d\"}",
	"*b",
	"a{\"id\":11,\"op\":\"take\",\"channel\":\"d\",\"lease_ms\":40}",
	"b{\"id\":5,\"op\":\"nonsense\"}",
	"+60",
	"!b",
	"!a",
	"!c",
};

static bool read_replies(struct peer *peer)
{
	char bytes[65536];
	ssize_t n = read(peer->fd, bytes, sizeof(bytes));
	struct slice body;
	size_t used;
	if (n <= 0)
		return false;
	buffer_append(&peer->in, bytes, (size_t)n);
	while (frame_next(buffer_slice(&peer->in), 70000, &body, &used, NULL) == FRAME_WHOLE) {
		struct message_reply reply;
		if (peer == &peers[3])
			snprintf(said + strlen(said), sizeof(said) - strlen(said), "[%.*s]", (int)body.len, body.bytes);
		ck_assert_msg(message_decode_reply((char *)body.bytes, body.len, &reply) == 0, "%.*s", (int)body.len,
			      body.bytes);
		ck_assert(reply.error != ERROR_INTERNAL);
		peer->n_replies++;
		buffer_consume(&peer->in, used);
	}
	return true;
}

/* The tests' own memory never fails. */
static void run(void)
{
	bool moved = true;
	while (moved) {
		memory.is_counting = true;
		inside_run(&inside);
		memory.is_counting = false;
		moved = false;
		for (int i = 0; i < N_CLIENTS; i++) {
			while (peers[i].fd >= 0 && read_replies(&peers[i]))
				moved = true;
		}
	}
	const char *wrong = core_check(inside.core);
	ck_assert_msg(!wrong, "%s", wrong);
}

static void connect_peer(struct peer *peer)
{
	memory.is_counting = true;
	peer->fd = inside_connect(&inside);
	memory.is_counting = false;
	ck_assert_int_ge(peer->fd, 0);
}

static void hang_up(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	buffer_finish(&peer->in);
	peer->fd = -1;
}

static void send_all(struct peer *peer, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(peer->fd, bytes, len);
		if (n < 0 && errno != EAGAIN)
			return; /* the daemon had no memory for it, and has ended it */
		run();
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* In two pieces, so that one is an incomplete frame for a while. */
static void send_frame(struct peer *peer, const char *body)
{
	struct buffer out = {0};
	size_t mark = frame_begin(&out), half;
	buffer_append(&out, body, strlen(body));
	frame_end(&out, mark);
	half = buffer_len(&out) / 2;
	send_all(peer, out.bytes, half);
	send_all(peer, out.bytes + half, buffer_len(&out) - half);
	buffer_finish(&out);
}

static void put_large(struct peer *peer)
{
	char body[LARGE_BYTES + 100];
	int n = snprintf(body, sizeof(body), "{\"id\":9,\"op\":\"put\",\"channel\":\"d\",\"value\":\"%0*d\"}",
			 LARGE_BYTES, 0);
	ck_assert_int_lt(n, (int)sizeof(body));
	send_frame(peer, body);
}

static void play(void)
{
	for (size_t i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
		const char *line = session[i];
		if (line[0] == '+')
			fake_system.now_us += (uint64_t)atoi(line + 1) * 1000;
		else if (line[0] == '!')
			hang_up(&peers[line[1] - 'a']);
		else if (line[0] == '*')
			put_large(&peers[line[1] - 'a']);
		else
			send_frame(&peers[line[0] - 'a'], line + 1);
		run();
	}
}

static void start(void)
{
	said[0] = '\0';
	ck_assert_int_eq(inside_start(&inside), 0);
	for (int i = 0; i < N_CLIENTS; i++) {
		peers[i] = (struct peer){.fd = -1};
		connect_peer(&peers[i]);
	}
}

static void stop(void)
{
	for (int i = 0; i < N_CLIENTS; i++)
		hang_up(&peers[i]);
	run();
	struct core_totals totals;
	core_totals(inside.core, &totals);
	ck_assert_uint_eq(inside.sessions.n, 0);
	ck_assert_uint_eq(totals.connections, 0);
	ck_assert_uint_eq(inside_parked(&inside), 0);
	ck_assert_uint_eq(stream_group_unsent_value_bytes(inside.streams), 0);
	inside_stop(&inside);
}

/* Who had no part in it is served as ever, when there is memory again. */
static void look(void)
{
	run();
	hang_up(&peers[3]);
	connect_peer(&peers[3]);
	said[0] = '\0';
	send_frame(&peers[3], "{\"id\":1,\"op\":\"ping\"}");
	ck_assert_str_eq(said, "[{\"id\":1,\"status\":\"ok\"}]");
}

static bool fail_from(unsigned long n, unsigned long in_a_row)
{
	memory.countdown = memory_can_fail() ? n : 0;
	memory.run = in_a_row;
	memory.has_failed = false;
	start();
	play();
	memory.countdown = 0;
	look();
	stop();
	return memory.has_failed;
}

START_TEST(each_allocation_of_a_whole_session_fails_in_turn)
{
	static const unsigned long in_a_row[] = {1, 2, 10};
	for (int i = 0; i < 3; i++) {
		unsigned long n = 1;
		long live = 0;
		bool has_failed = true;
		for (; has_failed; n++) {
			has_failed = fail_from(n, in_a_row[i]);
			ck_assert_msg(n < 3 || memory.live == live, "%ld blocks are left when allocation %lu fails",
				      memory.live - live, n);
			live = memory.live;
		}
		printf("%lu allocations, %lu in a row\n", n - 1, in_a_row[i]);
		if (memory_can_fail())
			ck_assert_uint_gt(n, 50);
	}
}
END_TEST

START_TEST(each_allocation_of_a_login_fails_in_turn)
{
	uint32_t uid = getuid();
	struct config_user user = {.name = (char[]){"u"}, .uids = &uid, .n_uids = 1};
	struct config config = {.users = &user, .n_users = 1};
	bool has_failed = memory_can_fail(), is_refused = false;
	for (unsigned long n = 1; n == 1 || has_failed; n++) {
		start();
		ck_assert((inside.sessions.users = users_create()) && users_apply(inside.sessions.users, &config) == 0);
		users_set_quotas(inside.sessions.users, &inside.broker);
		hang_up(&peers[3]);
		memory.countdown = memory_can_fail() ? n : 0;
		memory.run = 1;
		memory.has_failed = false;
		connect_peer(&peers[3]);
		send_frame(&peers[3], "{\"id\":1,\"op\":\"hello\",\"protocol\":1}");
		has_failed = memory.has_failed;
		memory.countdown = 0;
		is_refused = is_refused || strstr(said, "no memory for another connection");
		look();
		said[0] = '\0';
		send_frame(&peers[3], "{\"id\":2,\"op\":\"hello\",\"protocol\":1}");
		ck_assert_ptr_nonnull(strstr(said, "\"user\":\"u\""));
		struct users *users = inside.sessions.users;
		for (int i = 0; i < N_CLIENTS; i++)
			hang_up(&peers[i]);
		run();
		ck_assert_ptr_null(inside.sessions.first_stranger);
		stop();
		users_destroy(users);
	}
	ck_assert(is_refused || !memory_can_fail());
}
END_TEST

/* What everybody is told, with one system and another. */
static size_t replies_with(size_t max_bytes, unsigned again, uint64_t seed)
{
	size_t n = 0;
	start();
	fake_system.max_bytes = max_bytes;
	fake_system.again = again;
	fake_system.random = seed;
	play();
	for (int i = 0; i < N_CLIENTS; i++)
		n += peers[i].n_replies;
	look();
	fake_system.max_bytes = 0;
	fake_system.again = 0;
	stop();
	return n;
}

START_TEST(short_reads_and_writes_change_nothing)
{
	uint64_t seed = getenv("MILLRACE_SEED") ? strtoull(getenv("MILLRACE_SEED"), NULL, 10) : 20250101;
	size_t whole = replies_with(0, 0, 0);
	printf("seed %" PRIu64 "\n", seed);
	ck_assert_uint_gt(whole, 20);
	ck_assert_uint_eq(replies_with(1, 0, seed), whole);
	ck_assert_uint_eq(replies_with(7, 3, seed), whole);
	for (uint64_t i = 0; i < 50; i++) {
		ck_assert_uint_eq(replies_with(1000, 3, seed + i), whole);
		ck_assert_uint_eq(replies_with(0, 2, seed + i), whole);
	}
}
END_TEST

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(a_tcp_connection_is_watched_for_the_death_of_its_peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&address, len), 0);
	int fd = accept(listening, NULL, NULL);

	ck_assert_int_eq(inside_start(&inside), 0);
	inside.sessions.limits.tcp_timeout_ms = 30000;
	session_accept(&inside.sessions, fd, NULL);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	int idle = option(fd, IPPROTO_TCP, TCP_KEEPIDLE), interval = option(fd, IPPROTO_TCP, TCP_KEEPINTVL),
	    probes = option(fd, IPPROTO_TCP, TCP_KEEPCNT);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
	ck_assert_int_le(idle + interval * probes, 30);
	ck_assert_int_ge(idle + interval * probes, 25);
	inside_stop(&inside);
	close(client);
	close(listening);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_allocation_of_a_whole_session_fails_in_turn,
		each_allocation_of_a_login_fails_in_turn,
		short_reads_and_writes_change_nothing,
		a_tcp_connection_is_watched_for_the_death_of_its_peer,
		NULL,
	};
	Suite *suite = suite_create("inside: faults");
	suite_case(suite, "all", NULL, NULL, tests);
	return suite_run(suite);
}
