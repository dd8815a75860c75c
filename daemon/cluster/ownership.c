#include "daemon/cluster/ownership.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/cluster/sooner.h"

enum {
	RETRY_US = 100 * 1000,
	GIVEN_AT_ONCE = 16, /* groups */
};

/* One transaction for a group, while its pieces are put together. */
struct draft {
	struct engine_compare compares[4];
	struct engine_write writes[3];
	struct engine_transaction transaction;
	struct cluster_key owner_key, epoch_key, member_key;
	char epoch[17], epoch_now[17];
};

static void draft_begin(struct draft *draft, const struct table_group *group)
{
	draft->owner_key = key_of_group(group_name(group), "owner");
	draft->epoch_key = key_of_group(group_name(group), "epoch");
	draft->transaction = (struct engine_transaction){draft->compares, 0, draft->writes, 0};
}

static void draft_compare(struct draft *draft, enum engine_comparison how, const struct cluster_key *key,
			  struct slice value)
{
	draft->compares[draft->transaction.n_compares++] = (struct engine_compare){how, key_slice(key), value};
}

static void draft_put(struct draft *draft, const struct cluster_key *key, struct slice value, uint64_t lease)
{
	draft->writes[draft->transaction.n_writes++] =
		(struct engine_write){.key = key_slice(key), .value = value, .lease = lease};
}

static struct slice next_owner(const struct table_group *group)
{
	return (struct slice){group->next_owner, group->next_owner_len};
}

/* The next epoch begins, with this owner. */
static void draft_owner(struct draft *draft, struct table_group *group, struct cluster_mark mark, struct slice daemon,
			uint64_t lease)
{
	const struct cluster_owner owner = {.epoch = group->epoch + 1, .mark = mark, .daemon = daemon};
	snprintf(draft->epoch_now, sizeof(draft->epoch_now), "%016" PRIx64, group->epoch);
	snprintf(draft->epoch, sizeof(draft->epoch), "%016" PRIx64, owner.epoch);
	if (group->epoch)
		draft_compare(draft, ENGINE_IS, &draft->epoch_key, (struct slice){draft->epoch_now, 16});
	else
		draft_compare(draft, ENGINE_ABSENT, &draft->epoch_key, (struct slice){0});
	draft_put(draft, &draft->epoch_key, (struct slice){draft->epoch, 16}, 0);
	group->next_owner_len = owner_write(&owner, group->next_owner);
	draft_put(draft, &draft->owner_key, next_owner(group), lease);
}

static bool is_mine(const struct ownership *ownership, const struct table_group *group)
{
	return group->owner_len && mark_equal(group->as_owner.mark, ownership->mark);
}

/* Since it was taken nobody else has owned it. */
static bool is_still_mine(const struct ownership *ownership, const struct table_group *group)
{
	return is_mine(ownership, group) && group->as_owner.epoch == group->held_epoch;
}

/* -- Whose it had best be -- */

static bool is_self(const struct ownership *ownership, const struct table_member *member)
{
	return slice_equal(member_name(member), ownership->name);
}

const struct table_member *ownership_home_of(struct ownership *ownership, struct slice group, struct slice home)
{
	struct table *table = ownership->table;
	struct slice names[TABLE_MAX_MEMBERS] = {{0}};
	const struct table_member *members[TABLE_MAX_MEMBERS];
	size_t n = 0;
	for (size_t i = 0; i < table->n_members; i++) {
		const struct table_member *member = &table->members[i];
		if (is_self(ownership, member) ? ownership->is_draining : member->is_draining)
			continue;
		members[n] = member;
		names[n++] = member_name(member);
	}
	size_t i = placement_choose(&ownership->placement, group, home, names, n);
	return i < n ? members[i] : NULL;
}

const struct table_member *ownership_home(struct ownership *ownership, const struct table_group *group)
{
	return ownership_home_of(ownership, group_name(group), group_home(group));
}

bool ownership_is_home(struct ownership *ownership, const struct table_group *group)
{
	const struct table_member *home = ownership_home(ownership, group);
	return home && is_self(ownership, home);
}

/* -- Taking -- */

/* From now on what was read before counts no more. */
static void has_changed(struct ownership *ownership, struct table_group *group)
{
	group->changed_in = ownership->table->reading;
	ownership->wants_reading = true;
}

static struct ownership *ownership_of(const struct table_group *group)
{
	return group->table->ownership;
}

static void become_owner(struct ownership *ownership, struct table_group *group)
{
	group->stage = GROUP_IS_OURS;
	group->is_wanted = false;
	group->epoch = group->held_epoch = group->as_owner.epoch;
	ownership->handlers.on_take(ownership->handlers.arg, group_name(group), group_owner(group));
}

static void on_taken(void *arg, const struct engine_answer *answer)
{
	struct table_group *group = arg;
	struct ownership *ownership = ownership_of(group);
	group->stage = GROUP_IS_NOT_OURS;
	has_changed(ownership, group);
	if (answer->result != ENGINE_DONE) {
		group->due_us = ownership->now_us + (answer->result == ENGINE_NOT_SO ? 0 : RETRY_US);
		return;
	}
	table_set_owner(group, next_owner(group), ownership->now_us);
	become_owner(ownership, group);
}

/* The owner that the table names is gone, which is compared. */
static void compare_gone(struct ownership *ownership, struct draft *draft, const struct table_group *group)
{
	const struct table_member *member = table_member(ownership->table, group->as_owner.daemon);
	draft_compare(draft, ENGINE_IS, &draft->owner_key, group_owner(group));
	if (group->as_owner.daemon.len == 0)
		return; /* of nobody who could ever be up */
	draft->member_key = key_of_member(group->as_owner.daemon);
	if (member)
		draft_compare(draft, ENGINE_IS, &draft->member_key, member_value(member));
	else
		draft_compare(draft, ENGINE_ABSENT, &draft->member_key, (struct slice){0});
}

void ownership_take(struct ownership *ownership, struct table_group *group)
{
	struct draft draft;
	if (group->stage != GROUP_IS_NOT_OURS || group->due_us > ownership->now_us)
		return;
	draft_begin(&draft, group);
	if (group->owner_len)
		compare_gone(ownership, &draft, group);
	else
		draft_compare(&draft, ENGINE_ABSENT, &draft.owner_key, (struct slice){0});
	draft_owner(&draft, group, ownership->mark, ownership->name, ownership->lease);
	group->stage = GROUP_IS_BEING_TAKEN;
	ownership->engine->calls->transact(ownership->engine, ownership, &draft.transaction, on_taken, group);
}

/* The daemon that the table names as its owner is not up, or was started anew since. */
static bool owner_is_gone(struct ownership *ownership, const struct table_group *group)
{
	const struct table_member *member = table_member(ownership->table, group->as_owner.daemon);
	return !member || !mark_equal(member->mark, group->as_owner.mark);
}

/* -- Giving -- */

static void on_given(void *arg, const struct engine_answer *answer)
{
	struct table_group *group = arg;
	struct ownership *ownership = ownership_of(group);
	bool is_given = answer->result == ENGINE_DONE;
	group->stage = is_given ? GROUP_IS_NOT_OURS : GROUP_IS_TO_BE_GIVEN;
	has_changed(ownership, group);
	group->due_us = is_given || answer->result == ENGINE_NOT_SO ? 0 : ownership->now_us + RETRY_US;
	group->gives_up = answer->result == ENGINE_REFUSED; /* to put takes room, to delete does not */
	if (is_given)
		table_set_owner(group, next_owner(group), ownership->now_us);
}

/* To whom it had best go, and else to nobody. */
static void give(struct ownership *ownership, struct table_group *group)
{
	struct draft draft;
	const struct table_member *to = group->gives_up ? NULL : ownership_home(ownership, group);
	draft_begin(&draft, group);
	draft_compare(&draft, ENGINE_IS, &draft.owner_key, group_owner(group));
	if (to) {
		draft.member_key = key_of_member(member_name(to));
		draft_compare(&draft, ENGINE_IS, &draft.member_key, member_value(to));
		draft_owner(&draft, group, to->mark, member_name(to), to->lease);
	} else {
		draft.writes[draft.transaction.n_writes++] =
			(struct engine_write){.key = key_slice(&draft.owner_key), .is_delete = true};
		group->next_owner_len = 0;
	}
	group->stage = GROUP_IS_BEING_GIVEN;
	ownership->engine->calls->transact(ownership->engine, ownership, &draft.transaction, on_given, group);
}

void ownership_released(struct ownership *ownership, struct table_group *group)
{
	assert(group->stage == GROUP_IS_BEING_RELEASED);
	group->stage = GROUP_IS_TO_BE_GIVEN;
	group->gives_up = false;
	give(ownership, group);
}

/* -- Deciding -- */

static void lose(struct ownership *ownership, const char *why)
{
	ownership->handlers.on_lost(ownership->handlers.arg, why);
}

static uint64_t decide_other(struct ownership *ownership, struct table_group *group)
{
	if (is_mine(ownership, group)) {
		become_owner(ownership, group);
		return UINT64_MAX;
	}
	if (group->owner_len && !owner_is_gone(ownership, group)) {
		group->is_wanted = false;
		return UINT64_MAX;
	}
	if (ownership->is_draining)
		return UINT64_MAX;
	/* Whoever had best have it may be unable to: after a while it is anybody's. */
	uint64_t stuck_us =
		group->free_since_us == UINT64_MAX ? UINT64_MAX : group->free_since_us + ownership->stuck_us;
	if (!ownership_is_home(ownership, group) && ownership->now_us < stuck_us)
		return stuck_us;
	if (group->due_us > ownership->now_us)
		return group->due_us;
	ownership_take(ownership, group);
	return UINT64_MAX;
}

/* A daemon that has just come up may be about to go again: it gets nothing from one that is well. */
static bool had_best_go(struct ownership *ownership, const struct table_group *group)
{
	const struct table_member *home = ownership_home(ownership, group);
	if (ownership->is_draining || !home)
		return ownership->is_draining;
	return !is_self(ownership, home) && ownership->now_us - home->since_us >= ownership->damping_us;
}

static void decide_ours(struct ownership *ownership, struct table_group *group, size_t *n_given)
{
	if (!is_still_mine(ownership, group)) {
		lose(ownership, "another daemon owns a group of this one, or the lease has ended");
	} else if (*n_given < GIVEN_AT_ONCE && had_best_go(ownership, group)) {
		group->stage = GROUP_IS_BEING_RELEASED;
		(*n_given)++;
		ownership->handlers.on_give(ownership->handlers.arg, group_name(group));
	}
}

static uint64_t decide(struct ownership *ownership, struct table_group *group, size_t *n_given)
{
	if (group->changed_in >= ownership->table->reading)
		return UINT64_MAX; /* what is read next will say more */
	switch (group->stage) {
	case GROUP_IS_NOT_OURS:
		return decide_other(ownership, group);
	case GROUP_IS_OURS:
		decide_ours(ownership, group, n_given);
		break;
	case GROUP_IS_BEING_RELEASED:
		if (!is_still_mine(ownership, group))
			lose(ownership, "another daemon has taken a group over before it was given to it");
		break;
	case GROUP_IS_TO_BE_GIVEN:
		if (!is_still_mine(ownership, group)) {
			group->stage = GROUP_IS_NOT_OURS;
			return decide_other(ownership, group);
		}
		if (group->due_us > ownership->now_us)
			return group->due_us;
		give(ownership, group);
		break;
	case GROUP_IS_BEING_TAKEN:
	case GROUP_IS_BEING_GIVEN:
		break;
	}
	return UINT64_MAX;
}

uint64_t ownership_decide(struct ownership *ownership)
{
	struct table *table = ownership->table;
	uint64_t due_us = UINT64_MAX;
	size_t n_given = 0;
	for (size_t i = 0; i < table->n_groups; i++)
		n_given += table->groups[i]->stage > GROUP_IS_OURS;
	for (size_t i = 0; i < table->n_groups; i++)
		due_us = sooner_us(due_us, decide(ownership, table->groups[i], &n_given));
	return due_us;
}

size_t ownership_n_ours(const struct ownership *ownership)
{
	size_t n = 0;
	for (size_t i = 0; i < ownership->table->n_groups; i++)
		n += ownership->table->groups[i]->stage != GROUP_IS_NOT_OURS;
	return n;
}
