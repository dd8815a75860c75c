#include "tests/lib/network_fixture.h"

#include <check.h>
#include <string.h>

#include "tests/lib/frames.h"

const char *const network_urls[] = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};
struct url network_addresses[N_DAEMONS];
struct network network;

struct network_link {
	struct contact contact; /* first */
	struct buffer in, out;  /* to the daemon, and from it */
	int daemon, connection; /* 0: there is none */
};

#define FOREACH_LINK(link)                                                                                             \
	for (struct network_link *link = (struct network_link *)TAILQ_FIRST(&machine.contacts); link;                  \
	     link = (struct network_link *)TAILQ_NEXT(&link->contact, entry))

static void on_reply(int connection, json_t *reply)
{
	FOREACH_LINK(link)
	{
		if (link->connection == connection)
			frames_append(&link->out, json_incref(reply));
	}
	json_decref(reply);
}

static void hang_up(struct network_link *link)
{
	if (link->connection)
		cluster_hang_up(link->connection);
	link->connection = 0;
	buffer_finish(&link->in);
	buffer_finish(&link->out);
	link->in = link->out = (struct buffer){0};
}

static void open_link(struct network_link *link)
{
	network.n_attempts++;
	contact_opening(&link->contact, now_ms);
	for (link->daemon = 0; link->daemon < N_DAEMONS; link->daemon++) {
		if (url_is_same(&network_addresses[link->daemon], link->contact.url))
			break;
	}
	if (link->daemon == N_DAEMONS || network.is_down[link->daemon]) {
		contact_close(&link->contact, now_ms, MR_ECONNECT, "refused");
	} else if (!network.is_gone[link->daemon]) {
		link->connection = ++network.last_connection;
		contact_opened(&link->contact, now_ms);
	}
}

/* The daemon carries out what is there wholly. */
static void run_daemon(struct network_link *link)
{
	for (json_t *request; (request = frames_next(&link->in)); json_decref(request))
		cluster_request(link->daemon, link->connection, request);
}

/* Whether anything moved. */
static bool move_bytes(struct network_link *link)
{
	struct slice out = contact_output(&link->contact, true, now_ms);
	size_t n = sim_least(out.len, network.piece), room;
	bool moves = out.len > 0;
	char *to;

	if (!link->connection || network.is_gone[link->daemon])
		return false;
	if (moves) {
		buffer_append(&link->in, out.bytes, n);
		contact_written(&link->contact, n, now_ms);
		run_daemon(link);
	}
	n = sim_least(buffer_len(&link->out), network.piece);
	if (n && contact_has_connection(&link->contact)) {
		to = contact_room(&link->contact, &room, now_ms);
		n = sim_least(n, room);
		memcpy(to, buffer_front(&link->out), n);
		contact_read(&link->contact, n, now_ms);
		buffer_consume(&link->out, n);
		moves = true;
	}
	return moves;
}

/* -- the driver -- */

static void deliver(void)
{
	sim_deliver();
	FOREACH_LINK(link)
	{
		if (link->connection && !contact_has_connection(&link->contact))
			hang_up(link);
	}
}

bool network_settle_once(void)
{
	bool moves = false;

	machine_tick(&machine, now_ms);
	deliver();
	FOREACH_LINK(link)
	{
		if (contact_wants_connection(&link->contact, now_ms)) {
			open_link(link);
			moves = true;
		}
		moves = move_bytes(link) || moves;
		deliver();
	}
	return moves;
}

void network_settle(void)
{
	while (network_settle_once())
		;
}

void network_run_until(int64_t end_ms)
{
	sim_run_until(end_ms, network_settle);
}

void network_kill_daemon(int daemon)
{
	network.is_down[daemon] = true;
	FOREACH_LINK(link)
	{
		if (link->connection && link->daemon == daemon) {
			hang_up(link);
			contact_closed_by_peer(&link->contact, now_ms, "killed");
		}
	}
	deliver();
}

const struct machine_settings network_settings = {
	SIM_SETTINGS,
	.urls = network_addresses,
	.n_urls = N_DAEMONS,
	.contact_bytes = sizeof(struct network_link),
};

static void start_with(const struct machine_settings *settings)
{
	ck_assert_int_eq(machine_init(&machine, settings), MR_OK);
	if (!settings->is_impatient)
		network_settle();
}

static void finish(void)
{
	FOREACH_LINK(link)
	hang_up(link);
	machine_finish(&machine);
}

static void begin(void)
{
	memset(&network, 0, sizeof network);
	network.piece = 1 << 20;
	sim_begin();
	cluster_begin(network_urls, N_DAEMONS, on_reply);
}

void network_setup(void)
{
	for (int i = 0; i < N_DAEMONS; i++)
		ck_assert_ptr_null(url_parse(&network_addresses[i], network_urls[i]));
	begin();
	start_with(&network_settings);
}

void network_teardown(void)
{
	finish();
	cluster_end();
}

void network_again(const struct machine_settings *settings)
{
	network_teardown();
	begin();
	start_with(settings);
}
