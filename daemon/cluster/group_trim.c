#include "daemon/cluster/group_trim.h"

#include <assert.h>

enum {
	DELETED_AT_ONCE = 1000, /* keys: the engine stands still for as long as that takes */
	RETRY_US = 300 * 1000,
	COMPACT_US = 5 * 1000 * 1000,
};

/* -- The floor -- */

static struct cluster_key floor_key(const struct group_trim *trim)
{
	return key_of_group(trim->group, "floor");
}

static void on_raised(void *arg, const struct engine_answer *answer);
static void on_listed(void *arg, const struct engine_answer *answer);
static void on_deleted(void *arg, const struct engine_answer *answer);

/* The floor is compared too: should this arrive late, after one that is higher, it changes nothing. */
static void raise_floor(struct group_trim *trim)
{
	struct cluster_key owner = key_of_group(trim->group, "owner"), floor = floor_key(trim);
	char text[POSITION_BYTES + 1];
	trim->raised = trim->wanted;
	position_write(trim->raised, text);
	struct slice value = {text, POSITION_BYTES};
	const struct engine_compare compares[] = {
		{ENGINE_IS, key_slice(&owner), trim->owner},
		{ENGINE_BELOW, key_slice(&floor), value},
	};
	const struct engine_write write = {.key = key_slice(&floor), .value = value};
	const struct engine_transaction transaction = {compares, 2, &write, 1};
	trim->engine->calls->transact(trim->engine, trim, &transaction, on_raised, trim);
}

static void list(struct group_trim *trim)
{
	struct cluster_key begin = key_of_batches(trim->group),
			   end = key_of_batch(trim->group,
					      (struct batch_position){trim->floor.epoch, trim->floor.seq + 1});
	trim->engine->calls->range(trim->engine, trim, key_slice(&begin), key_slice(&end), DELETED_AT_ONCE, true,
				   on_listed, trim);
}

static void delete_listed(struct group_trim *trim)
{
	struct cluster_key owner = key_of_group(trim->group, "owner");
	const struct engine_compare compare = {ENGINE_IS, key_slice(&owner), trim->owner};
	/* The end is not deleted itself: so it is the last key and a byte. */
	const struct engine_write write = {.key = key_slice(&trim->first),
					   .end = {trim->last.bytes, trim->last.len + 1}};
	const struct engine_transaction transaction = {&compare, 1, &write, 1};
	trim->engine->calls->transact(trim->engine, trim, &transaction, on_deleted, trim);
}

static void go_on(struct group_trim *trim, enum trim_stage stage)
{
	trim->stage = stage;
	trim->due_us = 0;
}

static bool is_done(struct group_trim *trim, const struct engine_answer *answer)
{
	trim->is_under_way = false;
	if (answer->result == ENGINE_DONE)
		log_compact_saw(trim->compact, answer->revision);
	else
		trim->due_us = trim->now_us + RETRY_US;
	return answer->result == ENGINE_DONE;
}

static void on_raised(void *arg, const struct engine_answer *answer)
{
	struct group_trim *trim = arg;
	/* Not so: another owns the group, which whoever writes will hear; or it was raised by a call without an answer.
	 * In both cases the rest can be tried, since it compares the owner as well. */
	if (is_done(trim, answer) || answer->result == ENGINE_NOT_SO) {
		trim->floor = trim->raised;
		go_on(trim, TRIM_LISTS);
	}
}

static void on_listed(void *arg, const struct engine_answer *answer)
{
	struct group_trim *trim = arg;
	if (!is_done(trim, answer))
		return;
	if (answer->n_rows == 0) {
		go_on(trim, TRIM_RESTS);
		return;
	}
	struct slice first = answer->rows[0].key, last = answer->rows[answer->n_rows - 1].key;
	assert(first.len < KEY_BYTES && last.len < KEY_BYTES);
	memcpy(trim->first.bytes, first.bytes, trim->first.len = first.len);
	memcpy(trim->last.bytes, last.bytes, trim->last.len = last.len);
	trim->last.bytes[last.len] = '\0';
	go_on(trim, TRIM_DELETES);
}

static void on_deleted(void *arg, const struct engine_answer *answer)
{
	struct group_trim *trim = arg;
	if (is_done(trim, answer)) {
		trim->compact->wanted = answer->revision;
		go_on(trim, TRIM_LISTS);
	} else if (answer->result == ENGINE_NOT_SO) {
		go_on(trim, TRIM_RESTS);
	}
}

void group_trim_init(struct group_trim *trim, struct engine *engine, struct log_compact *compact, struct slice group,
		     struct slice owner, struct batch_position floor)
{
	*trim = (struct group_trim){
		.engine = engine, .compact = compact, .group = group, .owner = owner, .floor = floor, .wanted = floor};
}

void group_trim_finish(struct group_trim *trim)
{
	trim->engine->calls->cancel_all(trim->engine, trim);
}

void group_trim_raise(struct group_trim *trim, struct batch_position floor)
{
	if (position_is_before(trim->wanted, floor))
		trim->wanted = floor;
}

uint64_t group_trim_tick(struct group_trim *trim, uint64_t now_us)
{
	trim->now_us = now_us;
	if (trim->stage == TRIM_RESTS && position_is_before(trim->floor, trim->wanted))
		go_on(trim, TRIM_RAISES);
	if (trim->stage == TRIM_RESTS || trim->is_under_way)
		return UINT64_MAX;
	if (trim->due_us > now_us)
		return trim->due_us;
	trim->is_under_way = true;
	switch (trim->stage) {
	case TRIM_RAISES:
		raise_floor(trim);
		break;
	case TRIM_LISTS:
		list(trim);
		break;
	case TRIM_DELETES:
		delete_listed(trim);
		break;
	case TRIM_RESTS:
		break;
	}
	return UINT64_MAX;
}

/* -- The history -- */

void log_compact_init(struct log_compact *compact, struct engine *engine)
{
	*compact = (struct log_compact){.engine = engine};
}

void log_compact_finish(struct log_compact *compact)
{
	compact->engine->calls->cancel_all(compact->engine, compact);
}

void log_compact_saw(struct log_compact *compact, uint64_t revision)
{
	if (revision > compact->newest)
		compact->newest = revision;
}

/* Should it fail, the next one is as good: another daemon may have been there first. */
static void on_compacted(void *arg, const struct engine_answer *answer)
{
	(void)answer;
	((struct log_compact *)arg)->is_under_way = false;
}

uint64_t log_compact_tick(struct log_compact *compact, uint64_t now_us)
{
	if (!compact->wanted || compact->wanted >= compact->newest || compact->is_under_way)
		return UINT64_MAX; /* the newest revision is never forgotten */
	if (compact->due_us > now_us)
		return compact->due_us;
	compact->due_us = now_us + COMPACT_US;
	compact->is_under_way = true;
	compact->engine->calls->compact(compact->engine, compact, compact->wanted, on_compacted, compact);
	compact->wanted = 0;
	return UINT64_MAX;
}
