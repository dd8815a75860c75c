#include "tests/lib/core_fixture_line.h"

#include <assert.h>
#include <check.h>
#include <stdlib.h>

#include "tests/lib/core_fixture.h"

/* -- Words -- */

void line_split(struct line *line, const char *from)
{
	char *out = line->bytes;
	bool quoted = false;
	line->n = line->next = 0;
	assert(strlen(from) < sizeof(line->bytes));
	while (*from) {
		assert(line->n < LINE_WORDS);
		line->at[line->n++] = out;
		for (; *from && (quoted || *from != ' '); from++) {
			if (*from == '\'')
				quoted = !quoted;
			else
				*out++ = *from;
		}
		*out++ = '\0';
		while (*from == ' ')
			from++;
	}
	assert(!quoted);
}

static char *line_next(struct line *line)
{
	assert(line->next < line->n);
	return line->at[line->next++];
}

static uint64_t line_number(struct line *line)
{
	return strtoull(line_next(line), NULL, 10);
}

bool line_skip(struct line *line, const char *word)
{
	if (line->next == line->n || strcmp(line->at[line->next], word) != 0)
		return false;
	line->next++;
	return true;
}

static bool line_more(const struct line *line)
{
	return line->next < line->n;
}

/* -- Ops -- */

static struct value *value_from(const char *word)
{
	struct value *value = value_create(word, strlen(word), NULL);
	ck_assert_ptr_nonnull(value);
	return value;
}

static void parse_timeout(struct line *line, struct core_event *event)
{
	if (line_skip(line, "timeout")) {
		event->has_timeout = true;
		event->timeout_ms = line_number(line);
	}
	if (line_skip(line, "lease"))
		event->lease_ms = line_number(line);
	event->sticky = line_skip(line, "sticky");
}

static void parse_lease(struct line *line, struct core_event *event)
{
	uint64_t number = line_number(line);
	if (number >= 1 && number <= fixture.n_tokens)
		event->token = fixture.tokens[number - 1];
	if (event->op == CORE_EXTEND)
		event->lease_ms = line_number(line);
	if (line_skip(line, "delay"))
		event->delay_ms = line_number(line);
	event->is_uncounted = line_skip(line, "uncounted");
}

static void parse_create(struct line *line, struct core_event *event)
{
	struct core_definition *definition = &event->definition;
	definition->kind = channel_kind_from_name(slice_from(line_next(line)));
	assert(definition->kind != KIND_COUNT);
	definition->capacity = definition->kind == KIND_PROMISE;
	if (definition->kind != KIND_PROMISE && definition->kind != KIND_UNBUFFERED)
		definition->capacity = line_number(line);
	definition->ephemeral = line_skip(line, "ephemeral");
	definition->durable = line_skip(line, "durable");
	if (line_skip(line, "waiters"))
		definition->max_waiters = (uint32_t)line_number(line);
	if (line_skip(line, "dead")) {
		definition->max_deliveries = (uint32_t)line_number(line);
		definition->dead_letter = slice_from(line_next(line));
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
	*match = (struct fixture_match){{begins_with, match_free, {&match->letter, 1}, 1000}, word[0]};
	return &match->match;
}

static void parse_tap(struct line *line, struct core_event *event)
{
	struct core_tap_terms *terms = &event->tap;
	terms->to = slice_from(line_next(line));
	terms->creates_target = line_skip(line, "new");
	if (terms->creates_target) {
		parse_create(line, event);
		event->definition.ephemeral = true;
	}
	if (line_skip(line, "match"))
		terms->match = match_from(line_next(line));
	for (enum core_tap_state state = 0; state < CORE_TAP_STATES; state++)
		if (line_skip(line, core_tap_state_name(state)))
			terms->state = state;
	terms->closes = !line_skip(line, "stays");
}

static void parse_put(struct line *line, struct core_event *event)
{
	value_list_push(&event->values, value_from(line_next(line)));
	while (event->batch && line_more(line) && strcmp(line->at[line->next], "timeout") != 0 &&
	       strcmp(line->at[line->next], "delay") != 0 && strcmp(line->at[line->next], "once") != 0)
		value_list_push(&event->values, value_from(line_next(line)));
	if (line_skip(line, "delay"))
		event->delay_ms = line_number(line);
	parse_timeout(line, event);
	if (line_skip(line, "once")) {
		event->producer = slice_from(line_next(line));
		event->seq = line_number(line);
	}
}

static void parse_move(struct line *line, struct core_event *event)
{
	event->channel = slice_from(line_next(line));
	if (line_skip(line, "to"))
		event->to = slice_from(line_next(line));
	event->max = line_skip(line, "max") ? (uint32_t)line_number(line) : 1000;
}

static void parse_take(struct line *line, struct core_event *event)
{
	event->max = 1;
	if (line_skip(line, "max")) {
		event->batch = true;
		event->max = (uint32_t)line_number(line);
	}
	if (line_skip(line, "count"))
		event->count = (uint32_t)line_number(line);
	parse_timeout(line, event);
}

static void parse_alts(struct line *line, struct core_event *event)
{
	static struct core_arm arms[CORE_MAX_ARMS];
	event->arms = arms;
	event->priority = line_skip(line, "priority");
	while (line_more(line) && strchr(line->at[line->next], ':')) {
		struct core_arm *arm = &arms[event->n_arms++];
		char *word = line_next(line), *channel = strchr(word, ':') + 1, *equals = strchr(channel, '=');
		arm->channel = slice_from(channel);
		arm->value = NULL;
		if (word[0] != 'p')
			continue;
		arm->channel.len = (size_t)(equals - channel);
		arm->value = value_from(equals + 1);
	}
	parse_timeout(line, event);
}

static void parse_revoked(struct line *line, struct core_event *event)
{
	static struct core_access revoked[CORE_MAX_ARMS];
	for (event->revoked = revoked; line_more(line); event->n_revoked++) {
		char *word = line_next(line);
		revoked[event->n_revoked] = (struct core_access){slice_from(strchr(word, ':') + 1), word[0] == 'p'};
	}
}

static void parse_untap(struct line *line, struct core_event *event)
{
	event->tap.to = slice_from(line_next(line));
}

static void parse_delete(struct line *line, struct core_event *event)
{
	event->force = line_skip(line, "force");
}

static void parse_cancel(struct line *line, struct core_event *event)
{
	event->cancel_id = line_number(line);
}

static void parse_hang_up(struct line *line, struct core_event *event)
{
	(void)event;
	line_next(line); /* "up" */
}

static void parse_group(struct line *line, struct core_event *event)
{
	event->channel = slice_from(line_next(line));
}

static void parse_adopt(struct line *line, struct core_event *event)
{
	event->restore = fixture.restore ? fixture.restore : core_restore_create(NULL);
	fixture.restore = NULL;
	parse_group(line, event);
}

/* The ops that a line may name; parse NULL: with nothing behind it, or only the channel. */
static const struct {
	const char *name;
	void (*parse)(struct line *line, struct core_event *event);
} ops[CORE_OP_COUNT] = {
	[CORE_TICK] = {"tick", NULL},
	[CORE_HANG_UP] = {"hangs", parse_hang_up},
	[CORE_DISCONNECT] = {"leaves", NULL},
	[CORE_ABANDON] = {"abandon", NULL},
	[CORE_CREATE] = {"create", parse_create},
	[CORE_CLOSE] = {"close", NULL},
	[CORE_DELETE] = {"delete", parse_delete},
	[CORE_ALTER] = {"alter", parse_create},
	[CORE_PUT] = {"put", parse_put},
	[CORE_TAKE] = {"take", parse_take},
	[CORE_ALTS] = {"alts", parse_alts},
	[CORE_CANCEL] = {"cancel", parse_cancel},
	[CORE_ACK] = {"ack", parse_lease},
	[CORE_NACK] = {"nack", parse_lease},
	[CORE_EXTEND] = {"extend", parse_lease},
	[CORE_PAUSE] = {"pauses", NULL},
	[CORE_RESUME] = {"resumes", NULL},
	[CORE_REVOKE] = {"revoke", parse_revoked},
	[CORE_MOVE] = {"move", parse_move},
	[CORE_TAP] = {"tap", parse_tap},
	[CORE_UNTAP] = {"untap", parse_untap},
	[CORE_JOIN_CLUSTER] = {"join", NULL},
	[CORE_ADOPT] = {"adopt", parse_adopt},
	[CORE_SERVE] = {"serve", parse_group},
	[CORE_RELEASE] = {"release", parse_group},
	[CORE_CHECKPOINT] = {"checkpoint", NULL},
};

void line_parse_op(struct line *line, struct core_event *event)
{
	event->batch = line_skip(line, "puts");
	event->op = event->batch ? CORE_PUT : CORE_TICK;
	while (!event->batch && !(ops[event->op].name && line_skip(line, ops[event->op].name))) {
		event->op++;
		assert(event->op < CORE_OP_COUNT);
	}
	if (event->op >= CORE_CREATE && event->op <= CORE_TAKE)
		event->channel = slice_from(line_next(line));
	if (ops[event->op].parse)
		ops[event->op].parse(line, event);
	assert(!line_more(line));
}
