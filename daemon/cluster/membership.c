#include "daemon/cluster/membership.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/cluster/sooner.h"
#include "daemon/cluster/joining.h"
#include "daemon/cluster/ownership.h"

enum {
	ROWS_A_PAGE = 200,
	RETRY_US = 100 * 1000,
	DAMPING_MS = 10 * 1000,
	HINT_US = 2 * 1000, /* between two readings: several hints at once are one */
	READINGS = 3,       /* in a lease's time, at least */
};

enum reading { READING_RESTS, READING_MEMBERS, READING_GROUPS };

struct membership {
	struct engine *engine;
	struct membership_handlers handlers;
	struct table *table;
	struct joining joining;
	struct ownership ownership;
	struct slice name, address, http;
	uint64_t now_us, wall_ms;
	uint64_t places; /* the sum of its own configuration */
	enum reading reading;
	bool is_under_way, wants_reading, has_ended;
	uint64_t read_us; /* when the last reading began */
	uint64_t due_us;  /* after one that failed: not before */
	uint64_t decide_us;
	struct cluster_key next;              /* of the page */
	char watches_members, watches_groups; /* whose watches they are */
};

static void end(struct membership *membership, bool is_lost, const char *why)
{
	if (membership->has_ended)
		return;
	membership->has_ended = true;
	membership->handlers.on_end(membership->handlers.arg, is_lost, why);
}

/* -- Reading -- */

static void read_page(struct membership *membership);

static void end_reading(struct membership *membership)
{
	struct table *table = membership->table;
	table_end(table, membership->now_us);
	membership->reading = READING_RESTS;
	const struct table_member *self = table_member(table, membership->name);
	joining_look_at_key(&membership->joining, self ? member_value(self) : (struct slice){0});
	if (!membership->has_ended)
		membership->decide_us = 0;
}

static void on_page(void *arg, const struct engine_answer *answer)
{
	struct membership *membership = arg;
	membership->is_under_way = false;
	if (answer->result != ENGINE_DONE) {
		membership->reading = READING_RESTS; /* and from the beginning again */
		membership->wants_reading = true;
		membership->due_us = membership->now_us + RETRY_US;
		return;
	}
	for (size_t i = 0; i < answer->n_rows; i++)
		table_row(membership->table, &answer->rows[i], membership->now_us);
	if (answer->has_more && answer->n_rows) {
		struct slice last = answer->rows[answer->n_rows - 1].key;
		struct cluster_key *next = &membership->next;
		next->len = last.len < KEY_BYTES - 1 ? last.len : KEY_BYTES - 1;
		memcpy(next->bytes, last.bytes, next->len);
		next->bytes[next->len++] = '\0'; /* the next key there can be */
	} else if (membership->reading == READING_MEMBERS) {
		membership->reading = READING_GROUPS;
		membership->next = (struct cluster_key){2, "g/"};
	} else {
		end_reading(membership);
	}
	if (membership->reading != READING_RESTS)
		read_page(membership);
}

static void read_page(struct membership *membership)
{
	struct slice end = membership->reading == READING_MEMBERS ? SLICE("m0") : SLICE("g0");
	membership->is_under_way = true;
	membership->engine->calls->range(membership->engine, membership, key_slice(&membership->next), end, ROWS_A_PAGE,
					 false, on_page, membership);
}

static void on_hint(void *arg)
{
	((struct membership *)arg)->wants_reading = true;
}

static uint64_t reading_due_us(const struct membership *membership)
{
	uint64_t often_us = membership->joining.ttl_ms * 1000 / READINGS;
	uint64_t at_us = membership->read_us + (membership->wants_reading ? HINT_US : often_us);
	return at_us > membership->due_us ? at_us : membership->due_us;
}

static uint64_t read_table(struct membership *membership)
{
	if (membership->is_under_way)
		return UINT64_MAX;
	uint64_t at_us = reading_due_us(membership);
	if (at_us > membership->now_us)
		return at_us;
	membership->wants_reading = false;
	membership->read_us = membership->now_us;
	membership->reading = READING_MEMBERS;
	membership->next = (struct cluster_key){2, "m/"};
	table_begin(membership->table);
	read_page(membership);
	return UINT64_MAX;
}

/* -- Joining -- */

static void on_joined(void *arg)
{
	struct membership *membership = arg;
	const struct engine_calls *calls = membership->engine->calls;
	membership->ownership.lease = membership->joining.lease;
	membership->wants_reading = true;
	calls->watch(membership->engine, &membership->watches_members, SLICE("m/"), on_hint, membership);
	calls->watch(membership->engine, &membership->watches_groups, SLICE("g/"), on_hint, membership);
	membership->handlers.on_joined(membership->handlers.arg);
}

static void on_joining_end(void *arg, bool is_lost, const char *why)
{
	end(arg, is_lost, why);
}

static void on_take(void *arg, struct slice group, struct slice owner)
{
	struct membership *membership = arg;
	membership->handlers.on_take(membership->handlers.arg, group, owner);
}

static void on_give(void *arg, struct slice group)
{
	struct membership *membership = arg;
	membership->handlers.on_give(membership->handlers.arg, group);
}

static void on_lost(void *arg, const char *why)
{
	end(arg, true, why);
}

uint64_t membership_lease(const struct membership *membership)
{
	return membership->joining.lease;
}

bool membership_is_joined(const struct membership *membership)
{
	return membership->joining.stage == JOINED && !membership->has_ended;
}

uint64_t membership_sure_until_us(const struct membership *membership)
{
	return membership_is_joined(membership) ? membership->joining.sure_until_us : 0;
}

uint64_t membership_tick(struct membership *membership, uint64_t now_us)
{
	if (membership->has_ended)
		return UINT64_MAX;
	membership->now_us = membership->ownership.now_us = now_us;
	uint64_t due_us = joining_tick(&membership->joining, now_us);
	if (!membership_is_joined(membership))
		return due_us;
	if (membership->decide_us <= now_us && membership->reading == READING_RESTS && membership->table->reading)
		membership->decide_us = ownership_decide(&membership->ownership);
	if (membership->has_ended)
		return UINT64_MAX;
	membership->wants_reading |= membership->ownership.wants_reading;
	membership->ownership.wants_reading = false;
	if (membership->decide_us > now_us)
		due_us = sooner_us(due_us, membership->decide_us);
	return sooner_us(due_us, read_table(membership));
}

/* -- Groups -- */

void membership_released(struct membership *membership, struct slice name)
{
	struct table_group *group = table_group(membership->table, name);
	if (group && !membership->has_ended)
		ownership_released(&membership->ownership, group);
}

/* All have known of each other for so long that all agree where a group that nobody has had would be. */
static bool is_settled(const struct membership *membership)
{
	const struct table *table = membership->table;
	for (size_t i = 0; i < table->n_members; i++)
		if (membership->now_us - table->members[i].since_us < membership->joining.ttl_ms * 1000)
			return false;
	return !table->has_overflown;
}

/* Nobody has ever had it, nor wants it. */
static bool never_was(const struct table_group *group)
{
	return !group || (!group->owner_len && !group->epoch && !group->is_wanted && group->stage == GROUP_IS_NOT_OURS);
}

/* Such a group. NOWHERE: it is being taken, or it is not certain that there is none. */
static enum membership_place find_new(struct membership *membership, struct slice name, struct table_group *group,
				      bool creates, const struct table_member **there)
{
	*there = ownership_home_of(&membership->ownership, name, group ? group_home(group) : (struct slice){0});
	if (!*there)
		return MEMBERSHIP_NOWHERE;
	if (!slice_equal(member_name(*there), membership->name))
		return MEMBERSHIP_THERE;
	if (!creates)
		return is_settled(membership) ? MEMBERSHIP_UNKNOWN : MEMBERSHIP_NOWHERE;
	if (!group && !(group = table_add_group(membership->table, name)))
		return MEMBERSHIP_FULL;
	group->is_wanted = true;
	ownership_take(&membership->ownership, group);
	return MEMBERSHIP_NOWHERE;
}

static enum membership_place find_known(struct membership *membership, struct table_group *group,
					const struct table_member **there)
{
	if (group->stage == GROUP_IS_OURS)
		return MEMBERSHIP_HERE;
	if (group->stage != GROUP_IS_NOT_OURS)
		return MEMBERSHIP_NOWHERE;
	if (group->owner_len) {
		*there = table_member(membership->table, group->as_owner.daemon);
	} else if (ownership_is_home(&membership->ownership, group)) {
		group->is_wanted = true;
		ownership_take(&membership->ownership, group);
	} else if (group->epoch == 0) {
		*there = ownership_home(&membership->ownership, group); /* which takes it, or is about to */
	}
	return *there ? MEMBERSHIP_THERE : MEMBERSHIP_NOWHERE;
}

enum membership_place membership_find(struct membership *membership, struct slice name, bool creates,
				      struct slice *address, struct slice *http)
{
	struct table_group *group = table_group(membership->table, name);
	const struct table_member *there = NULL;
	if (!membership_is_joined(membership) || membership->table->reading == 0)
		return MEMBERSHIP_NOWHERE;
	enum membership_place place = never_was(group) ? find_new(membership, name, group, creates, &there)
						       : find_known(membership, group, &there);
	if (place != MEMBERSHIP_THERE)
		return place;
	struct cluster_member info = member_info(there);
	*address = info.address;
	*http = info.http;
	return MEMBERSHIP_THERE;
}

int membership_want(struct membership *membership, struct slice name)
{
	struct table_group *group = table_add_group(membership->table, name);
	if (!group)
		return -1;
	group->is_wanted = true;
	membership->decide_us = 0;
	return 0;
}

static void on_changed(void *arg, const struct engine_answer *answer)
{
	(void)answer;
	on_hint(arg);
}

int membership_move(struct membership *membership, struct slice group, struct slice daemon)
{
	if (daemon.len && !table_member(membership->table, daemon))
		return -1;
	struct cluster_key key = key_of_group(group, "home");
	const struct engine_write write = {.key = key_slice(&key), .value = daemon, .is_delete = daemon.len == 0};
	const struct engine_transaction transaction = {NULL, 0, &write, 1};
	membership->engine->calls->transact(membership->engine, membership, &transaction, on_changed, membership);
	return 0;
}

void membership_peer_is_gone(struct membership *membership, struct slice daemon)
{
	const struct table_member *member = table_member(membership->table, daemon);
	if (!membership_is_joined(membership) || !member || slice_equal(daemon, membership->name))
		return;
	struct cluster_key key = key_of_member(daemon);
	const struct engine_compare compare = {ENGINE_IS, key_slice(&key), member_value(member)};
	const struct engine_write write = {.key = key_slice(&key), .is_delete = true};
	const struct engine_transaction transaction = {&compare, 1, &write, 1};
	membership->engine->calls->transact(membership->engine, membership, &transaction, on_changed, membership);
}

/* -- The end -- */

static void set_value(struct membership *membership)
{
	const struct cluster_member self = {
		.mark = membership->ownership.mark,
		.is_draining = membership->ownership.is_draining,
		.joined_ms = membership->wall_ms,
		.places = membership->places,
		.address = membership->address,
		.http = membership->http,
	};
	char value[MEMBER_BYTES];
	joining_set_value(&membership->joining, (struct slice){value, member_write(&self, value)});
}

void membership_drain(struct membership *membership)
{
	if (membership->ownership.is_draining)
		return;
	membership->ownership.is_draining = true;
	membership->decide_us = 0;
	set_value(membership);
}

bool membership_is_drained(const struct membership *membership)
{
	return membership->has_ended || !membership_is_joined(membership) ||
	       (membership->ownership.is_draining && ownership_n_ours(&membership->ownership) == 0);
}

static void cancel_all(struct membership *membership)
{
	const struct engine_calls *calls = membership->engine->calls;
	calls->cancel_all(membership->engine, membership);
	calls->cancel_all(membership->engine, &membership->ownership);
	calls->cancel_all(membership->engine, &membership->watches_members);
	calls->cancel_all(membership->engine, &membership->watches_groups);
}

void membership_leave(struct membership *membership)
{
	cancel_all(membership);
	membership->has_ended = true;
	joining_leave(&membership->joining);
}

bool membership_has_left(const struct membership *membership)
{
	return membership->joining.stage == JOINING_HAS_LEFT && !membership->joining.is_under_way;
}

/* -- Rows -- */

bool membership_daemon(const struct membership *membership, size_t i, struct membership_daemon *daemon)
{
	if (i >= membership->table->n_members)
		return false;
	const struct table_member *member = &membership->table->members[i];
	struct cluster_member info = member_info(member);
	*daemon = (struct membership_daemon){
		.name = member_name(member),
		.address = info.address,
		.http = info.http,
		.mark = info.mark,
		.is_self = slice_equal(member_name(member), membership->name),
		.is_draining = info.is_draining,
		.joined_ms = info.joined_ms,
		.has_other_places = info.places != membership->places,
		.seen_us = member->since_us,
	};
	return true;
}

bool membership_group(const struct membership *membership, size_t i, struct membership_group *group)
{
	if (i >= membership->table->n_groups)
		return false;
	const struct table_group *row = membership->table->groups[i];
	*group = (struct membership_group){
		.name = group_name(row),
		.owner = row->owner_len ? row->as_owner.daemon : (struct slice){0},
		.home = group_home(row),
		.epoch = row->epoch,
		.is_ours = row->stage == GROUP_IS_OURS,
	};
	return true;
}

bool membership_take_change(struct membership *membership)
{
	bool has_changed = membership->table->has_changed;
	membership->table->has_changed = false;
	return has_changed;
}

const char *membership_trouble(const struct membership *membership)
{
	return membership->joining.trouble;
}

/* -- Life -- */

/* Those that are there before anybody asks for them. */
static int add_groups(struct membership *membership, const struct placement *placement)
{
	for (size_t i = 0; i < placement->n_rules; i++)
		if (membership_want(membership, placement->rules[i].group) < 0)
			return -1;
	return membership_want(membership, SLICE("default"));
}

struct membership *membership_create(struct engine *engine, const struct membership_settings *settings,
				     const struct membership_handlers *handlers)
{
	struct membership *membership = calloc(1, sizeof(*membership));
	if (!membership)
		return NULL;
	const struct joining_handlers joining = {on_joined, on_joining_end, membership};
	uint64_t damping_ms = settings->damping_ms ? settings->damping_ms : DAMPING_MS;
	membership->engine = engine;
	membership->handlers = *handlers;
	membership->name = settings->name;
	membership->address = settings->address;
	membership->http = settings->http;
	membership->wall_ms = settings->wall_ms;
	membership->places = placement_sum(&settings->placement);
	membership->ownership = (struct ownership){
		.engine = engine,
		.placement = settings->placement,
		.handlers = {on_take, on_give, on_lost, membership},
		.name = settings->name,
		.mark = settings->mark,
		.damping_us = damping_ms * 1000,
		.stuck_us = 2 * settings->ttl_ms * 1000,
	};
	joining_init(&membership->joining, engine, settings->name, settings->ttl_ms, &joining);
	membership->joining.old_lease = settings->old_lease;
	set_value(membership);
	membership->table = membership->ownership.table = table_create();
	if (!membership->table || add_groups(membership, &settings->placement) < 0) {
		membership_destroy(membership);
		return NULL;
	}
	membership->table->ownership = &membership->ownership;
	return membership;
}

void membership_destroy(struct membership *membership)
{
	if (!membership)
		return;
	cancel_all(membership);
	joining_finish(&membership->joining);
	table_destroy(membership->table);
	free(membership);
}
