#include "tests/lib/core_fixture.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/status.h"
#include "tests/lib/core_fixture_line.h"
#include "tests/lib/suite.h"

struct core_fixture fixture;
void (*fixture_before_step)(void), (*fixture_after_step)(void);

static char text[8192];
static size_t text_len;

static void text_clear(void)
{
	text_len = 0;
	text[0] = '\0';
}

__attribute__((format(printf, 1, 2))) static void text_add(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text + text_len, sizeof(text) - text_len, format, args);
	va_end(args);
	assert(n >= 0 && text_len + (size_t)n < sizeof(text));
	text_len += (size_t)n;
}

struct core_seed core_seed_from(uint64_t number)
{
	return (struct core_seed){number, {number + 1, number + 2}, {number + 3, number + 4}};
}

void fixture_start_seeded(uint64_t seed)
{
	fixture = (struct core_fixture){
		.limits = {.max_memory = 1 << 30,
			   .max_channels = 1000,
			   .max_taps = 1000,
			   .producer_ttl_ms = 600000,
			   .max_producers = 1000,
			   .max_inflight = 1000000,
			   .max_waiters = 1000000,
			   .max_take_bytes = 1 << 20},
		.now_us = 1000000,
	};
	struct core_seed core_seed = core_seed_from(seed);
	fixture.core = core_create(&fixture.limits, &core_seed);
	ck_assert_ptr_nonnull(fixture.core);
}

void fixture_start(void)
{
	fixture_start_seeded(1);
}

static void send_kept(int i)
{
	struct fixture_unsent *unsent = &fixture.unsent[i];
	for (size_t k = 0; k < unsent->n; k++)
		core_sent(&unsent->at[k]);
	unsent->n = 0;
	unsent->keeps = false;
}

void fixture_stop(void)
{
	for (int i = 0; i < 8; i++)
		send_kept(i);
	core_destroy(fixture.core);
	fixture.core = NULL;
}

/* An event that brings no reply. */
static struct core_connection *step_quietly(struct core_event event)
{
	struct core_effects effects = {0};
	event.now_us = fixture.stepped_us; /* so that nothing is due */
	event.unsent_bytes = fixture.unsent_bytes;
	core_step(fixture.core, &event, &effects);
	ck_assert_ptr_null(effects.head);
	struct core_connection *connection = effects.connection;
	core_effects_release(fixture.core, &effects);
	return connection;
}

void fixture_set_limits(void)
{
	step_quietly((struct core_event){.op = CORE_SET_LIMITS, .limits = &fixture.limits});
}

void fixture_limit_work(uint32_t work)
{
	fixture.limits.turn_work = work;
	fixture_set_limits();
}

void fixture_set_quota(struct core_quota *quota, struct core_quota_limits limits)
{
	step_quietly((struct core_event){.op = CORE_SET_QUOTA, .quota = quota, .quota_limits = limits});
}

void fixture_drain(void)
{
	step_quietly((struct core_event){.op = CORE_DRAIN});
}

void fixture_later(uint64_t ms)
{
	fixture.now_us += ms * 1000;
}

/* -- Connections -- */

static struct core_connection *connection_of(char letter)
{
	int i = letter - 'a';
	assert(i >= 0 && i < 8);
	if (!fixture.connections[i]) {
		fixture.letters[i] = letter;
		fixture.connections[i] =
			step_quietly((struct core_event){.op = CORE_CONNECT, .cookie = &fixture.letters[i]});
		ck_assert_ptr_nonnull(fixture.connections[i]);
	}
	return fixture.connections[i];
}

void fixture_join_quota(char letter, struct core_quota *quota)
{
	step_quietly((struct core_event){.op = CORE_JOIN_QUOTA, .connection = connection_of(letter), .quota = quota});
}

/* -- Replies out -- */

static void add_who(const void *cookie, uint64_t id)
{
	if (cookie && id == CORE_NO_ID)
		text_add("%s%c", text_len ? "; " : "", *(const char *)cookie);
	else if (cookie)
		text_add("%s%c%llu", text_len ? "; " : "", *(const char *)cookie, (unsigned long long)id);
	else
		text_add("%s-", text_len ? "; " : "");
}

static void add_count(const char *what, uint64_t n)
{
	if (n > 0)
		text_add("%s%s %llu", text_len ? " " : "", what, (unsigned long long)n);
}

static void add_values(const struct value *value, size_t n)
{
	for (; n-- > 0; value = value->next)
		text_add("%s%.*s", text_len ? " " : "", (int)value->len, value->bytes);
}

static void add_lease(const struct core_reply *reply)
{
	assert(fixture.n_tokens < sizeof(fixture.tokens) / sizeof(fixture.tokens[0]));
	fixture.tokens[fixture.n_tokens++] = reply->lease;
	text_add(" lease %llu deliveries", (unsigned long long)fixture.n_tokens);
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next)
		text_add(" %u", value->deliveries);
}

static void add_origins(const struct core_reply *reply)
{
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		const struct value_origin *origin = value->origin;
		if (origin)
			text_add(" from %.*s deliveries %u %s %llu ms ago", (int)origin->name_len, origin->name,
				 origin->deliveries, value_reason_name((enum value_reason)origin->reason),
				 (unsigned long long)(fixture.now_us - origin->since_us) / 1000);
	}
}

static void add_reply(const struct core_reply *reply, uint32_t n_arms)
{
	add_who(reply->cookie, reply->id);
	text_add(" %s", status_name(reply->status));
	if (reply->status == STATUS_ERROR)
		text_add(" %s", error_name(reply->error));
	if (reply->op == CORE_ALTS && reply->status == STATUS_ERROR && reply->arm < n_arms)
		text_add(" arm %u", reply->arm);
	if (reply->op == CORE_ALTS &&
	    (reply->status == STATUS_OK || reply->status == STATUS_CLOSED || reply->status == STATUS_DROPPED))
		text_add(" arm %u %s %.*s", reply->arm, reply->is_take ? "take" : "put", (int)reply->channel.len,
			 reply->channel.bytes);
	add_values(reply->value, reply->n_values);
	if (reply->has_lease)
		add_lease(reply);
	add_origins(reply);
	if (reply->op == CORE_MOVE && reply->status == STATUS_OK)
		text_add(" moved %llu left %u", (unsigned long long)reply->accepted, reply->left);
	if (reply->has_left)
		text_add(" left %u", reply->left);
	if (reply->op == CORE_PUT && reply->batch)
		text_add(" accepted %llu", (unsigned long long)reply->accepted);
	if (!reply->has_lease)
		add_count("evicted", reply->evicted);
	if (reply->n_circle)
		text_add(" circle");
	for (uint32_t i = 0; i < reply->n_circle && i < CORE_CIRCLE_NAMES; i++)
		text_add(" %.*s", (int)reply->circle[i].len, reply->circle[i].bytes);
	if (reply->duplicate)
		text_add(" duplicate");
	if (reply->created)
		text_add(" created");
	if (reply->altered)
		text_add(" altered");
	add_count("discarded", reply->discarded);
}

static void check_core(const char *line)
{
	const char *wrong = core_check(fixture.core);
	ck_assert_msg(!wrong, "after '%s': %s", line, wrong);
}

/* The lines that are no events. */
static bool do_aside(struct line *line, const char *said)
{
	int connection = line->at[0][0] - 'a';
	if (line_skip(line, "keeps"))
		fixture.unsent[connection].keeps = true;
	else if (line_skip(line, "sends"))
		send_kept(connection);
	else
		return false;
	text_clear();
	check_core(said);
	return true;
}

static void keep(struct core_reply *reply)
{
	struct fixture_unsent *unsent = reply->cookie ? &fixture.unsent[*(const char *)reply->cookie - 'a'] : NULL;
	assert(!unsent || unsent->n < 64);
	if (unsent && unsent->keeps && core_keep(reply, &unsent->at[unsent->n]))
		unsent->n++;
}

const char *fixture_do(const char *said)
{
	struct line line = {.n = 0};
	struct core_event event = {
		.now_us = fixture.now_us, .unsent_bytes = fixture.unsent_bytes, .recorder = fixture.recorder};
	line_split(&line, said);
	const char *who = line.at[0];
	if (strcmp(who, "tick") != 0 && strcmp(who, "abandon") != 0)
		line.next = 1;
	if (line.next && who[0] != '-') {
		event.connection = connection_of(who[0]);
		event.id = who[1] ? strtoull(who + 1, NULL, 10) : CORE_NO_ID;
	}
	if (do_aside(&line, said))
		return text;
	line_parse_op(&line, &event);

	if (event.op == CORE_DISCONNECT) {
		struct fixture_unsent *unsent = &fixture.unsent[who[0] - 'a'];
		event.unsent = unsent->at;
		event.n_unsent = unsent->n;
		unsent->n = 0;
		unsent->keeps = false;
	}
	fixture.stepped_us = fixture.now_us;
	struct core_effects effects = {0};
	if (fixture_before_step)
		fixture_before_step();
	core_step(fixture.core, &event, &effects);
	if (fixture_after_step)
		fixture_after_step();
	if (event.op == CORE_DISCONNECT)
		fixture.connections[who[0] - 'a'] = NULL;
	text_clear();
	for (struct core_reply *reply = effects.head; reply; reply = reply->next) {
		add_reply(reply, event.n_arms);
		keep(reply);
	}
	if (effects.n_undeliverable)
		text_add("%sundeliverable %llu %.*s", text_len ? "; " : "", (unsigned long long)effects.n_undeliverable,
			 (int)effects.undeliverable.len, effects.undeliverable.bytes);
	core_effects_release(fixture.core, &effects);
	check_core(said);
	return text;
}

const char *fixture_books(const char *channel)
{
	struct core_channel_row row;
	if (!core_stat(fixture.core, slice_from(channel), &row))
		return "none";
	text_clear();
	if (row.closed)
		text_add("closed");
	add_count("buffered", row.buffered);
	add_count("leased", row.leased);
	add_count("delayed", row.delayed);
	add_count("puts", row.parked_puts);
	add_count("takes", row.parked_takes);
	add_count("bytes", row.bytes);
	add_count("accepted", row.accepted);
	add_count("taken", row.taken);
	add_count("returned", row.returned);
	add_count("dropped", row.dropped);
	add_count("evicted", row.evicted);
	add_count("dead_lettered", row.dead_lettered);
	add_count("discarded", row.discarded);
	return text;
}

const char *fixture_waiters(const char *channel)
{
	static const char *const ops[] = {
		[CORE_PUT] = " put", [CORE_TAKE] = " take", [CORE_ALTS] = " alts", [CORE_TAP] = " tap"};
	struct core_waiter_row row = {0};
	text_clear();
	while (core_next_waiter(fixture.core, slice_from(channel), row.seq, &row)) {
		add_who(row.cookie, row.id);
		text_add("%s", ops[row.op]);
		for (uint32_t i = 0; i < row.n_arms; i++) {
			bool is_put;
			struct slice name = core_waiter_arm(&row, i, &is_put);
			text_add("%s %.*s",
				 row.op != CORE_ALTS ? ""
				 : is_put            ? " put"
						     : " take",
				 (int)name.len, name.bytes);
		}
	}
	return text;
}

struct core_totals fixture_totals(void)
{
	struct core_totals totals;
	core_totals(fixture.core, &totals);
	return totals;
}

uint32_t fixture_parked(char letter)
{
	return core_parked(fixture.connections[letter - 'a']);
}

int fixture_finish(int most)
{
	int turns = 0;
	for (; core_has_backlog(fixture.core); turns++) {
		ck_assert_uint_eq(core_deadline(fixture.core), fixture.now_us + 1);
		fixture_later(1);
		fixture_do("- tick");
		ck_assert_int_lt(turns, most);
	}
	return turns;
}

const char *fixture_leases(uint64_t after)
{
	struct core_lease_row row = {0};
	uint64_t go_on;
	text_clear();
	while (core_next_lease(fixture.core, after, &row, &go_on)) {
		after = row.seq;
		text_add("%s%llu %.*s %u deliveries %u by %c%s age %llu left %llu", text_len ? "; " : "",
			 (unsigned long long)row.seq, (int)row.channel.len, row.channel.bytes, row.n_values,
			 row.deliveries, row.cookie ? *(const char *)row.cookie : '-', row.is_sticky ? " sticky" : "",
			 (unsigned long long)(fixture.now_us - row.begun_us) / 1000,
			 (unsigned long long)(row.deadline_us - fixture.now_us) / 1000);
	}
	if (go_on)
		text_add("%sgo on at %llu", text_len ? "; " : "", (unsigned long long)go_on);
	return text;
}

const char *fixture_taps(void)
{
	struct core_tap_row row = {0};
	text_clear();
	while (core_next_tap(fixture.core, row.seq, &row)) {
		text_add("%s%.*s>%.*s", text_len ? "; " : "", (int)row.from.len, row.from.bytes, (int)row.to.len,
			 row.to.bytes);
		if (row.state != CORE_TAP_RUN)
			text_add(" %s", core_tap_state_name(row.state));
		if (row.match.len)
			text_add(" match %.*s", (int)row.match.len, row.match.bytes);
		if (!row.closes)
			text_add(" stays");
		if (row.held_since_us != CORE_NEVER)
			text_add(" held");
		add_count("carried", row.carried);
		add_count("unmatched", row.unmatched);
		add_count("muted", row.muted);
	}
	return text;
}

const char *fixture_buffer(const char *channel)
{
	struct core_peek peek;
	if (!core_peek_begin(fixture.core, slice_from(channel), &peek))
		return "none";
	text_clear();
	for (const struct value *value; (value = core_peek_next(&peek));)
		add_values(value, 1);
	return text;
}

int fixture_main(const char *suite_name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(suite_name);
	TCase *tests_case = tcase_create(suite_name);
	tcase_add_checked_fixture(tests_case, fixture_start, fixture_stop);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tests_case, tests[i]);
	suite_add_tcase(suite, tests_case);
	return suite_run(suite);
}
