#include "daemon/cluster/group_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/sooner.h"
#include "daemon/cluster/group_log_private.h"

enum {
	STATUS_US = 2 * 1000 * 1000,
	FULL_PART = 3, /* of the quota */
};
static const uint64_t DEFAULT_QUOTA_BYTES = UINT64_C(2) << 30; /* of an engine that does not say */

/* -- Dropping -- */

static void drop_before(struct carrier *carrier, uint64_t number)
{
	struct group_log *log = (struct group_log *)carrier;
	(void)number; /* the batch in which the last checkpoint began, which every group has noted */
	for (struct log_group *group = log->groups; group; group = group->next) {
		if (!group->has_begun)
			continue;
		group->has_begun = false;
		group->bytes -= group->bytes_at_begin;
		log->status.bytes -= group->bytes_at_begin;
		group_trim_raise(&group->trim, (struct batch_position){group->epoch, group->seq_at_begin});
	}
}

static void status(struct carrier *carrier, struct carrier_status *out)
{
	*out = ((struct group_log *)carrier)->status;
}

/* -- Time -- */

static void on_status(void *arg, const struct engine_answer *answer)
{
	struct group_log *log = arg;
	log->asks_status = false;
	if (answer->result != ENGINE_DONE)
		return;
	log->used_bytes = answer->used_bytes;
	log->quota_bytes = answer->quota_bytes;
	uint64_t quota = answer->quota_bytes ? answer->quota_bytes : DEFAULT_QUOTA_BYTES;
	uint64_t bound = quota / FULL_PART - (log->status.is_full ? quota / FULL_PART / 16 : 0);
	bool is_full = answer->is_full || answer->used_bytes > bound;
	log->status.left = answer->used_bytes < quota ? quota - answer->used_bytes : 0;
	if (is_full != log->status.is_full) {
		log->status.is_full = is_full;
		group_log_tell(log);
	}
}

static uint64_t look_for_room(struct group_log *log)
{
	if (log->now_us >= log->status_due_us) {
		log->status_due_us = log->now_us + STATUS_US;
		if (!log->asks_status)
			log->engine->calls->status(log->engine, log, on_status, log);
		log->asks_status = true;
	}
	return log->status_due_us;
}

static void time_run(struct group_log *log)
{
	if (!log->run_is_timed || log->status.committed < log->last_batch)
		return;
	uint64_t us = log->now_us - log->begun_us;
	size_t i = 0;
	while (i < CARRIER_BOUNDS && us > carrier_bounds_us[i])
		i++;
	log->status.commits[i]++;
	log->status.commits_us += us;
	log->run_is_timed = false;
}

uint64_t group_log_tick(struct group_log *log, uint64_t now_us)
{
	log->now_us = now_us;
	if (log->status.failure)
		return UINT64_MAX;
	time_run(log);
	uint64_t due_us = group_log_write(log);
	due_us = sooner_us(due_us, look_for_room(log));
	for (struct log_group *group = log->groups; group; group = group->next)
		due_us = sooner_us(due_us, group_trim_tick(&group->trim, now_us));
	return sooner_us(due_us, log_compact_tick(&log->compact, now_us));
}

/* -- Groups -- */

int group_log_add(struct group_log *log, struct slice name, struct slice owner, const struct group_position *position,
		  uint64_t batch)
{
	struct cluster_owner as_owner;
	bool is_owner = owner.len < OWNER_BYTES && owner_read(owner, &as_owner);
	assert(is_owner && !group_log_find(log, name));
	struct log_group *group = is_owner ? calloc(1, sizeof(*group) + name.len) : NULL;
	if (!group)
		return -1;
	memcpy(group->name, name.bytes, name.len);
	group->name_len = name.len;
	memcpy(group->owner, owner.bytes, owner.len);
	group->owner_len = owner.len;
	group->log = log;
	group->epoch = as_owner.epoch;
	group->last = &group->first;
	group->bytes = position->bytes;
	group->first_batch = batch;
	group_trim_init(&group->trim, log->engine, &log->compact, log_group_name(group), log_group_owner(group),
			position->floor);
	log->status.bytes += group->bytes;
	group->next = log->groups;
	log->groups = group;
	return 0;
}

static void destroy_group(struct group_log *log, struct log_group *group)
{
	log->engine->calls->cancel_all(log->engine, group);
	group_trim_finish(&group->trim);
	for (struct piece *piece = group->first, *next; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	record_buffer_finish(&group->records);
	free(group);
}

void group_log_release(struct group_log *log, struct slice name)
{
	struct log_group *group = group_log_find(log, name);
	if (group) {
		group->is_released = true;
		group->has_begun = false;
	}
}

void group_log_remove(struct group_log *log, struct slice name)
{
	for (struct log_group **at = &log->groups; *at; at = &(*at)->next) {
		struct log_group *group = *at;
		if (!slice_equal(log_group_name(group), name))
			continue;
		assert(!group->first);
		*at = group->next;
		log->status.bytes -= group->bytes;
		destroy_group(log, group);
		return;
	}
}

bool group_log_lag(const struct group_log *log, struct slice name, uint64_t *batches, uint64_t *bytes,
		   uint64_t *since_us)
{
	const struct log_group *group = group_log_find(log, name);
	if (!group)
		return false;
	*batches = 0;
	for (const struct piece *piece = group->first; piece; piece = piece->next)
		*batches += piece->state != PIECE_IS_KEPT;
	*bytes = group->bytes;
	*since_us = log->begun_us;
	return true;
}

void group_log_room(const struct group_log *log, uint64_t *used_bytes, uint64_t *quota_bytes)
{
	*used_bytes = log->used_bytes;
	*quota_bytes = log->quota_bytes;
}

void group_log_take_trouble(struct group_log *log, char text[GROUP_LOG_TROUBLE_BYTES])
{
	memcpy(text, log->trouble, sizeof(log->trouble));
	log->trouble[0] = '\0';
}

/* -- Life -- */

static const struct carrier_calls calls = {group_log_append, drop_before, status};

struct carrier *group_log_carrier(struct group_log *log)
{
	return &log->carrier;
}

struct group_log *group_log_create(const struct group_log_settings *settings)
{
	struct group_log *log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	log->carrier.calls = &calls;
	log->settings = *settings;
	if (!settings->piece_bytes)
		log->settings.piece_bytes = GROUP_LOG_PIECE_BYTES;
	log->engine = settings->engine;
	log->last_batch = log->status.committed = settings->first - 1;
	log->status.segments = 2; /* there is always something that a checkpoint could drop */
	log_compact_init(&log->compact, settings->engine);
	return log;
}

void group_log_destroy(struct group_log *log)
{
	if (!log)
		return;
	for (struct log_group *group = log->groups, *next; group; group = next) {
		next = group->next;
		destroy_group(log, group);
	}
	log->engine->calls->cancel_all(log->engine, log);
	log_compact_finish(&log->compact);
	free(log->missing);
	free(log);
}
