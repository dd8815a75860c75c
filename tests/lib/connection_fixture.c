#include "tests/lib/connection_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/frames.h"

/* -- the daemon -- */

struct connection_daemon connection_daemon;

/* Whether it changes anything. */
static bool server_is_new(json_t *request)
{
	char key[128];

	if (!json_object_get(request, "producer"))
		return true;
	snprintf(key, sizeof key, "%s/%lld", json_string_value(json_object_get(request, "producer")),
		 (long long)json_integer_value(json_object_get(request, "seq")));
	if (json_object_get(connection_daemon.seen, key))
		return false;
	json_object_set_new(connection_daemon.seen, key, json_true());
	return true;
}

static void server_do(json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	json_t *id = json_object_get(request, "id"), *reply;
	bool is_put = strcmp(op, "put") == 0, waits = is_put && connection_daemon.is_full, has_no_time;
	size_t i;
	json_t *value, *timeout = json_object_get(request, "timeout_ms");

	strcat(connection_daemon.ops, op);
	strcat(connection_daemon.ops, id ? " " : "! ");
	if (is_put && !waits && server_is_new(request)) {
		if (json_object_get(request, "value"))
			json_array_append(connection_daemon.entered, json_object_get(request, "value"));
		json_array_foreach(json_object_get(request, "values"), i, value)
			json_array_append(connection_daemon.entered, value);
	}
	has_no_time = json_is_integer(timeout) && json_integer_value(timeout) == 0;
	if (!id || (connection_daemon.parks_takes && strcmp(op, "take") == 0) || (waits && !has_no_time))
		return;
	reply = json_pack("{s:O,s:s}", "id", id, "status", waits ? "timeout" : "ok");
	if (strcmp(op, "hello") == 0) {
		json_object_update_new(reply, json_pack("{s:i,s:i,s:i,s:[s*]}", "protocol", 1, "max_frame_bytes", 65536,
							"max_inflight", 64, "features",
							connection_daemon.knows_once ? "once" : NULL));
	} else if (strcmp(op, "take") == 0) {
		json_object_set_new(reply, "value", json_string("\xc3\xa9\n"));
	} else if (strcmp(op, "create") == 0 && connection_daemon.refuses_creates) {
		json_object_set_new(reply, "status", json_string("error"));
		json_object_set_new(reply, "error", json_string("channel_exists"));
		json_object_set_new(reply, "message", json_string("it is another's"));
	}
	if (connection_daemon.is_mute)
		json_decref(reply);
	else
		frames_append(&connection_daemon.out, reply);
}

/* Carries out the frames that are there wholly. */
static void server_run(void)
{
	for (json_t *request; (request = frames_next(&connection_daemon.in)); json_decref(request))
		server_do(request);
}

/* -- the network -- */

struct connection_network connection_network;

static void net_open(void)
{
	contact_opening(machine.home, now_ms);
	if (connection_network.is_down) {
		contact_close(machine.home, now_ms, MR_ECONNECT, "refused");
		return;
	}
	connection_network.n_opened++;
	if (connection_network.n_opened > 1)
		connection_network.cut_out = connection_network.cut_in = NO_CUT;
	buffer_clear(&connection_daemon.in);
	buffer_clear(&connection_daemon.out);
	contact_opened(machine.home, now_ms);
}

/* Moves what there is, as far as the connection bears it. Whether anything moved. */
static bool net_move_out(void)
{
	struct slice out = contact_output(machine.home, true, now_ms);
	size_t n = sim_least(out.len, connection_network.cut_out);

	if (!out.len)
		return false;
	buffer_append(&connection_daemon.in, out.bytes, n);
	contact_written(machine.home, n, now_ms);
	connection_network.cut_out -= n;
	server_run();
	if (connection_network.cut_out == 0)
		contact_closed_by_peer(machine.home, now_ms, "cut");
	return true;
}

static bool net_move_in(void)
{
	size_t n = sim_least(sim_least(buffer_len(&connection_daemon.out), connection_network.cut_in),
			     connection_network.piece),
	       room;
	char *to;

	if (buffer_len(&connection_daemon.out) == 0 || !contact_has_connection(machine.home))
		return false;
	to = contact_room(machine.home, &room, now_ms);
	ck_assert_uint_le(n, room);
	memcpy(to, buffer_front(&connection_daemon.out), n);
	contact_read(machine.home, n, now_ms);
	buffer_consume(&connection_daemon.out, n);
	connection_network.cut_in -= n;
	return true;
}

/* -- the driver -- */

void connection_settle(void)
{
	bool moves = true;

	while (moves) {
		machine_tick(&machine, now_ms);
		sim_deliver();
		moves = contact_wants_connection(machine.home, now_ms);
		if (moves)
			net_open();
		moves = net_move_out() || moves;
		moves = net_move_in() || moves;
		sim_deliver();
		if (connection_network.cut_in == 0 && contact_has_connection(machine.home)) {
			contact_closed_by_peer(machine.home, now_ms, "cut");
			moves = true;
		}
	}
}

void connection_run_until(int64_t end_ms)
{
	sim_run_until(end_ms, connection_settle);
}

static const struct url sim_url = {.kind = URL_TCP, .host = "sim", .port = "1", .text = "tcp://sim:1"};

const struct machine_settings connection_settings = {
	SIM_SETTINGS,
	.urls = &sim_url,
	.n_urls = 1,
	.contact_bytes = sizeof(struct contact),
};

void connection_start(const struct machine_settings *settings)
{
	ck_assert_int_eq(machine_init(&machine, settings), MR_OK);
}

void connection_begin(void)
{
	buffer_finish(&connection_daemon.in);
	buffer_finish(&connection_daemon.out);
	json_decref(connection_daemon.entered);
	json_decref(connection_daemon.seen);
	memset(&connection_daemon, 0, sizeof connection_daemon);
	connection_daemon.entered = json_array();
	connection_daemon.seen = json_object();
	connection_daemon.knows_once = true;
	connection_network.cut_out = connection_network.cut_in = NO_CUT;
	connection_network.piece = 1 << 20;
	connection_network.is_down = false;
	connection_network.n_opened = 0;
	sim_begin();
}

void connection_end(void)
{
	machine_finish(&machine);
	connection_begin();
	json_decref(connection_daemon.entered);
	json_decref(connection_daemon.seen);
	connection_daemon.entered = connection_daemon.seen = NULL;
}

void connection_cut(void)
{
	contact_closed_by_peer(machine.home, now_ms, "cut");
}
