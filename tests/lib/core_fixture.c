/* See the header. The lines are a test's own, so a bad one is a mistake in the test: it aborts. */
#include "tests/lib/core_fixture.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/status.h"

enum { MAX_WORDS = 128, MAX_LINE = 4096 };

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

/* -- Lines in -- */

struct words {
	char bytes[MAX_LINE];
	char *at[MAX_WORDS];
	size_t n, next;
};

static void words_split(struct words *words, const char *line)
{
	char *out = words->bytes;
	bool quoted = false;
	words->n = words->next = 0;
	assert(strlen(line) < sizeof(words->bytes));
	while (*line) {
		assert(words->n < MAX_WORDS);
		words->at[words->n++] = out;
		for (; *line && (quoted || *line != ' '); line++) {
			if (*line == '\'')
				quoted = !quoted;
			else
				*out++ = *line;
		}
		*out++ = '\0';
		while (*line == ' ')
			line++;
	}
	assert(!quoted);
}

static char *words_next(struct words *words)
{
	assert(words->next < words->n);
	return words->at[words->next++];
}

static uint64_t words_number(struct words *words)
{
	return strtoull(words_next(words), NULL, 10);
}

/* Steps over the next word if it is this one. */
static bool words_skip(struct words *words, const char *word)
{
	if (words->next == words->n || strcmp(words->at[words->next], word) != 0)
		return false;
	words->next++;
	return true;
}

static bool words_more(const struct words *words)
{
	return words->next < words->n;
}

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

static struct value *value_from(const char *word)
{
	struct value *value = value_create(word, strlen(word), NULL);
	ck_assert_ptr_nonnull(value);
	return value;
}

static void parse_timeout(struct words *words, struct core_event *event)
{
	if (words_skip(words, "timeout")) {
		event->has_timeout = true;
		event->timeout_ms = words_number(words);
	}
	if (words_skip(words, "lease"))
		event->lease_ms = words_number(words);
	event->sticky = words_skip(words, "sticky");
}

static void parse_lease(struct words *words, struct core_event *event)
{
	uint64_t number = words_number(words);
	if (number >= 1 && number <= fixture.n_tokens)
		event->token = fixture.tokens[number - 1];
	if (event->op == CORE_EXTEND)
		event->lease_ms = words_number(words);
	if (words_skip(words, "delay"))
		event->delay_ms = words_number(words);
	event->is_uncounted = words_skip(words, "uncounted");
}

static void parse_create(struct words *words, struct core_event *event)
{
	struct core_definition *definition = &event->definition;
	definition->kind = channel_kind_from_name(slice_from(words_next(words)));
	assert(definition->kind != KIND_COUNT);
	definition->capacity = definition->kind == KIND_PROMISE;
	if (definition->kind != KIND_PROMISE && definition->kind != KIND_UNBUFFERED)
		definition->capacity = words_number(words);
	definition->ephemeral = words_skip(words, "ephemeral");
	definition->durable = words_skip(words, "durable");
	if (words_skip(words, "waiters"))
		definition->max_waiters = (uint32_t)words_number(words);
	if (words_skip(words, "dead")) {
		definition->max_deliveries = (uint32_t)words_number(words);
		definition->dead_letter = slice_from(words_next(words));
	}
}

struct fixture_match {
	struct core_match match;
	char letter;
};

static bool begins_with(const struct core_match *match, struct slice value)
{
	return value.len > 0 && value.bytes[0] == ((const struct fixture_match *)match)->letter;
}

static void match_free(struct core_match *match)
{
	free(match);
}

static struct core_match *match_from(const char *word)
{
	struct fixture_match *match = malloc(sizeof(*match));
	ck_assert_ptr_nonnull(match);
	*match = (struct fixture_match){{begins_with, match_free, {&match->letter, 1}}, word[0]};
	return &match->match;
}

static void parse_tap(struct words *words, struct core_event *event)
{
	struct core_tap_terms *terms = &event->tap;
	terms->to = slice_from(words_next(words));
	terms->creates_target = words_skip(words, "new");
	if (terms->creates_target) {
		parse_create(words, event);
		event->definition.ephemeral = true;
	}
	if (words_skip(words, "match"))
		terms->match = match_from(words_next(words));
	for (enum core_tap_state state = 0; state < CORE_TAP_STATES; state++)
		if (words_skip(words, core_tap_state_name(state)))
			terms->state = state;
	terms->closes = !words_skip(words, "stays");
}

static void parse_put(struct words *words, struct core_event *event)
{
	value_list_push(&event->values, value_from(words_next(words)));
	while (event->batch && words_more(words) && strcmp(words->at[words->next], "timeout") != 0 &&
	       strcmp(words->at[words->next], "delay") != 0 && strcmp(words->at[words->next], "once") != 0)
		value_list_push(&event->values, value_from(words_next(words)));
	if (words_skip(words, "delay"))
		event->delay_ms = words_number(words);
	parse_timeout(words, event);
	if (words_skip(words, "once")) {
		event->producer = slice_from(words_next(words));
		event->seq = words_number(words);
	}
}

static void parse_move(struct words *words, struct core_event *event)
{
	event->channel = slice_from(words_next(words));
	if (words_skip(words, "to"))
		event->to = slice_from(words_next(words));
	event->max = words_skip(words, "max") ? (uint32_t)words_number(words) : 1000;
}

static void parse_take(struct words *words, struct core_event *event)
{
	event->max = 1;
	if (words_skip(words, "max")) {
		event->batch = true;
		event->max = (uint32_t)words_number(words);
	}
	if (words_skip(words, "count"))
		event->count = (uint32_t)words_number(words);
	parse_timeout(words, event);
}

static void parse_alts(struct words *words, struct core_event *event, struct core_arm *arms)
{
	event->arms = arms;
	event->priority = words_skip(words, "priority");
	while (words_more(words) && strchr(words->at[words->next], ':')) {
		struct core_arm *arm = &arms[event->n_arms++];
		char *word = words_next(words), *channel = strchr(word, ':') + 1, *equals = strchr(channel, '=');
		arm->channel = slice_from(channel);
		arm->value = NULL;
		if (word[0] != 'p')
			continue;
		arm->channel.len = (size_t)(equals - channel);
		arm->value = value_from(equals + 1);
	}
	parse_timeout(words, event);
}

static void parse_revoked(struct words *words, struct core_event *event)
{
	static struct core_access revoked[CORE_MAX_ARMS];
	for (event->revoked = revoked; words_more(words); event->n_revoked++) {
		char *word = words_next(words);
		revoked[event->n_revoked] = (struct core_access){slice_from(strchr(word, ':') + 1), word[0] == 'p'};
	}
}

static void parse_op(struct words *words, struct core_event *event, struct core_arm *arms)
{
	static const char *const names[CORE_OP_COUNT] = {
		[CORE_TICK] = "tick",         [CORE_HANG_UP] = "hangs",
		[CORE_DISCONNECT] = "leaves", [CORE_ABANDON] = "abandon",
		[CORE_CREATE] = "create",     [CORE_CLOSE] = "close",
		[CORE_DELETE] = "delete",     [CORE_ALTER] = "alter",
		[CORE_PUT] = "put",           [CORE_TAKE] = "take",
		[CORE_ALTS] = "alts",         [CORE_CANCEL] = "cancel",
		[CORE_ACK] = "ack",           [CORE_NACK] = "nack",
		[CORE_EXTEND] = "extend",     [CORE_PAUSE] = "pauses",
		[CORE_RESUME] = "resumes",    [CORE_REVOKE] = "revoke",
		[CORE_MOVE] = "move",         [CORE_TAP] = "tap",
		[CORE_UNTAP] = "untap",       [CORE_JOIN_CLUSTER] = "join",
		[CORE_ADOPT] = "adopt",       [CORE_SERVE] = "serve",
		[CORE_RELEASE] = "release",   [CORE_CHECKPOINT] = "checkpoint",
	};
	event->batch = words_skip(words, "puts");
	event->op = CORE_PUT;
	for (enum core_op op = CORE_TICK; !event->batch && op < CORE_OP_COUNT; op++)
		if (names[op] && words_skip(words, names[op])) {
			event->op = op;
			break;
		}
	if (event->op >= CORE_CREATE && event->op <= CORE_TAKE)
		event->channel = slice_from(words_next(words));
	switch (event->op) {
	case CORE_CREATE:
	case CORE_ALTER:
		parse_create(words, event);
		break;
	case CORE_TAP:
		parse_tap(words, event);
		break;
	case CORE_UNTAP:
		event->tap.to = slice_from(words_next(words));
		break;
	case CORE_DELETE:
		event->force = words_skip(words, "force");
		break;
	case CORE_PUT:
		parse_put(words, event);
		break;
	case CORE_TAKE:
		parse_take(words, event);
		break;
	case CORE_ALTS:
		parse_alts(words, event, arms);
		break;
	case CORE_CANCEL:
		event->cancel_id = words_number(words);
		break;
	case CORE_MOVE:
		parse_move(words, event);
		break;
	case CORE_ACK:
	case CORE_NACK:
	case CORE_EXTEND:
		parse_lease(words, event);
		break;
	case CORE_REVOKE:
		parse_revoked(words, event);
		break;
	case CORE_HANG_UP:
		words_next(words);
		break;
	case CORE_ADOPT:
		event->restore = fixture.restore ? fixture.restore : core_restore_create(NULL);
		fixture.restore = NULL;
		event->channel = slice_from(words_next(words));
		break;
	case CORE_SERVE:
	case CORE_RELEASE:
		event->channel = slice_from(words_next(words));
		break;
	case CORE_TICK:
	case CORE_ABANDON:
	case CORE_DISCONNECT:
	case CORE_CLOSE:
	case CORE_PAUSE:
	case CORE_RESUME:
	case CORE_CONNECT:
	case CORE_SET_LIMITS:
	case CORE_SET_QUOTA:
	case CORE_JOIN_QUOTA:
	case CORE_RESTORE:
	case CORE_CHECKPOINT:
	case CORE_JOIN_CLUSTER:
	case CORE_DRAIN:
	case CORE_OP_COUNT:
		break;
	}
	assert(!words_more(words));
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
static bool do_aside(struct words *words, const char *line)
{
	if (words_skip(words, "keeps"))
		fixture.unsent[words->at[0][0] - 'a'].keeps = true;
	else if (words_skip(words, "sends"))
		send_kept(words->at[0][0] - 'a');
	else
		return false;
	text_clear();
	check_core(line);
	return true;
}

static void keep(struct core_reply *reply)
{
	struct fixture_unsent *unsent = reply->cookie ? &fixture.unsent[*(const char *)reply->cookie - 'a'] : NULL;
	assert(!unsent || unsent->n < 64);
	if (unsent && unsent->keeps && core_keep(reply, &unsent->at[unsent->n]))
		unsent->n++;
}

const char *fixture_do(const char *line)
{
	struct words words = {.n = 0};
	struct core_arm arms[CORE_MAX_ARMS];
	struct core_event event = {
		.now_us = fixture.now_us, .unsent_bytes = fixture.unsent_bytes, .recorder = fixture.recorder};
	words_split(&words, line);
	char *who = words.at[0];
	if (strcmp(who, "tick") != 0 && strcmp(who, "abandon") != 0)
		words.next = 1;
	if (words.next && who[0] != '-') {
		event.connection = connection_of(who[0]);
		event.id = who[1] ? strtoull(who + 1, NULL, 10) : CORE_NO_ID;
	}
	if (do_aside(&words, line))
		return text;
	parse_op(&words, &event, arms);

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
	check_core(line);
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
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
