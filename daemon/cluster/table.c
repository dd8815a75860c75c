#include "daemon/cluster/table.h"

#include <stdlib.h>

struct table *table_create(void)
{
	return calloc(1, sizeof(struct table));
}

void table_destroy(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_groups; i++)
		free(table->groups[i]);
	free(table);
}

/* Where the member is, or would be. */
static size_t member_place(const struct table *table, struct slice name)
{
	size_t i = 0;
	while (i < table->n_members && slice_compare(member_name(&table->members[i]), name) < 0)
		i++;
	return i;
}

struct table_member *table_member(struct table *table, struct slice name)
{
	size_t i = member_place(table, name);
	return i < table->n_members && slice_equal(member_name(&table->members[i]), name) ? &table->members[i] : NULL;
}

/* Where the group is, or would be. */
static size_t group_place(const struct table *table, struct slice name)
{
	size_t low = 0, high = table->n_groups;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (slice_compare(group_name(table->groups[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct table_group *table_group(const struct table *table, struct slice name)
{
	size_t i = group_place(table, name);
	return i < table->n_groups && slice_equal(group_name(table->groups[i]), name) ? table->groups[i] : NULL;
}

struct table_group *table_add_group(struct table *table, struct slice name)
{
	size_t i = group_place(table, name);
	if (i < table->n_groups && slice_equal(group_name(table->groups[i]), name))
		return table->groups[i];
	if (table->n_groups == TABLE_MAX_GROUPS || name.len > NAME_MAX_BYTES || name.len == 0)
		return NULL;
	struct table_group *group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->table = table;
	group->free_since_us = UINT64_MAX;
	group->name_len = name.len;
	memcpy(group->name, name.bytes, name.len);
	memmove(&table->groups[i + 1], &table->groups[i], (table->n_groups - i) * sizeof(table->groups[0]));
	table->groups[i] = group;
	table->n_groups++;
	table->has_changed = true;
	return group;
}

/* -- Reading -- */

void table_begin(struct table *table)
{
	table->reading++;
	table->has_overflown = false;
}

static struct table_member *add_member(struct table *table, struct slice name, uint64_t now_us)
{
	size_t i = member_place(table, name);
	if (table->n_members == TABLE_MAX_MEMBERS || name.len > NAME_MAX_BYTES) {
		table->has_overflown = true;
		return NULL;
	}
	memmove(&table->members[i + 1], &table->members[i], (table->n_members - i) * sizeof(table->members[0]));
	table->n_members++;
	table->members[i] = (struct table_member){.name_len = name.len, .since_us = now_us};
	memcpy(table->members[i].name, name.bytes, name.len);
	return &table->members[i];
}

static void member_row(struct table *table, const struct engine_row *row, uint64_t now_us)
{
	struct slice what, name = key_read_name(row->key, &what);
	struct cluster_member info;
	if (what.len || !cluster_name_is_valid(name) || row->value.len >= MEMBER_BYTES ||
	    !member_read(row->value, &info))
		return;
	struct table_member *member = table_member(table, name);
	if (!member && !(member = add_member(table, name, now_us)))
		return;
	if (!slice_equal(member_value(member), row->value)) {
		if (!mark_equal(member->mark, info.mark))
			member->since_us = now_us; /* it has ended meanwhile */
		table->has_changed = true;
		memcpy(member->value, row->value.bytes, member->value_len = row->value.len);
	}
	member->mark = info.mark;
	member->is_draining = info.is_draining;
	member->lease = row->lease;
	member->seen_in = table->reading;
}

void table_set_owner(struct table_group *group, struct slice owner, uint64_t now_us)
{
	if (owner.len >= OWNER_BYTES)
		owner.len = 0;
	if (!slice_equal(group_owner(group), owner))
		group->table->has_changed = true;
	group->owner_len = owner.len;
	if (owner.len)
		memmove(group->owner, owner.bytes, owner.len);
	if (owner.len && !owner_read(group_owner(group), &group->as_owner))
		group->as_owner = (struct cluster_owner){0}; /* of nobody who is up */
	if (owner.len)
		group->free_since_us = UINT64_MAX;
	else if (group->free_since_us == UINT64_MAX)
		group->free_since_us = now_us;
}

static uint64_t read_epoch(struct slice text)
{
	char number[POSITION_BYTES + 1];
	struct batch_position position;
	if (text.len != 16)
		return 0;
	position_write((struct batch_position){0, 0}, number);
	memcpy(number, text.bytes, text.len);
	return position_read((struct slice){number, POSITION_BYTES}, &position) ? position.epoch : 0;
}

/* While we change it, nothing of what is read is of use. */
static bool may_be_stale(const struct table_group *group)
{
	return group->changed_in >= group->table->reading;
}

static void group_row(struct table *table, const struct engine_row *row, uint64_t now_us)
{
	struct slice what, name = key_read_name(row->key, &what);
	struct table_group *group = table_add_group(table, name);
	if (!group) {
		table->has_overflown = true;
		return;
	}
	group->seen_in = table->reading;
	if (slice_equal(what, SLICE("home"))) {
		group->home_seen_in = table->reading;
		group->home_len = row->value.len > NAME_MAX_BYTES ? 0 : row->value.len;
		memcpy(group->home, row->value.bytes, group->home_len);
	} else if (may_be_stale(group)) {
		return;
	} else if (slice_equal(what, SLICE("owner"))) {
		group->owner_seen_in = table->reading;
		table_set_owner(group, row->value, now_us);
	} else if (slice_equal(what, SLICE("epoch"))) {
		group->epoch_seen_in = table->reading;
		group->epoch = read_epoch(row->value);
	}
}

void table_row(struct table *table, const struct engine_row *row, uint64_t now_us)
{
	if (row->key.len > 2 && row->key.bytes[0] == 'm')
		member_row(table, row, now_us);
	else if (row->key.len > 2 && row->key.bytes[0] == 'g')
		group_row(table, row, now_us);
}

static void end_members(struct table *table)
{
	size_t n = 0;
	for (size_t i = 0; i < table->n_members; i++) {
		if (table->members[i].seen_in != table->reading)
			table->has_changed = true;
		else if (n++ != i)
			table->members[n - 1] = table->members[i];
	}
	table->n_members = n;
}

void table_end(struct table *table, uint64_t now_us)
{
	end_members(table);
	size_t n = 0;
	for (size_t i = 0; i < table->n_groups; i++) {
		struct table_group *group = table->groups[i];
		if (group->home_seen_in != table->reading)
			group->home_len = 0;
		if (!may_be_stale(group) && group->owner_seen_in != table->reading)
			table_set_owner(group, (struct slice){0}, now_us);
		if (!may_be_stale(group) && group->epoch_seen_in != table->reading)
			group->epoch = 0;
		if (group->seen_in != table->reading && !group->is_wanted && group->stage == GROUP_IS_NOT_OURS) {
			free(group);
			table->has_changed = true;
		} else {
			table->groups[n++] = group;
		}
	}
	table->n_groups = n;
}
