/* What a daemon knows of its cluster: who is up, and who owns which group, as the engine said when it was last read.
 * It is read in pages; table_begin() ... table_row() ... table_end(). */
#ifndef MILLRACE_CLUSTER_TABLE_H
#define MILLRACE_CLUSTER_TABLE_H

#include "daemon/cluster/engine.h"
#include "daemon/cluster/cluster_keys.h"

enum { TABLE_MAX_GROUPS = 1000, TABLE_MAX_MEMBERS = 100 };

struct table_member {
	size_t name_len, value_len;
	char name[NAME_MAX_BYTES];
	char value[MEMBER_BYTES]; /* as it is in the engine: see member_info() */
	struct cluster_mark mark; /* of what it says, this is looked at often */
	bool is_draining;
	uint64_t lease;
	uint64_t since_us; /* when it was first seen */
	uint64_t seen_in;
};

/* What this daemon does with a group. */
enum group_stage {
	GROUP_IS_NOT_OURS,
	GROUP_IS_BEING_TAKEN, /* a transaction is under way */
	GROUP_IS_OURS,
	GROUP_IS_BEING_RELEASED, /* what was recorded has yet to be committed */
	GROUP_IS_TO_BE_GIVEN,    /* it can be given to another, or up */
	GROUP_IS_BEING_GIVEN,    /* a transaction is under way */
};

struct table_group {
	struct table *table;
	size_t owner_len, name_len, home_len;
	char owner[OWNER_BYTES]; /* as it is in the engine; empty: nobody */
	struct cluster_owner as_owner;
	uint64_t epoch; /* how often it was taken; 0: never */
	char home[NAME_MAX_BYTES];
	uint64_t owner_seen_in, epoch_seen_in, home_seen_in, seen_in;
	bool is_wanted;         /* somebody has asked for it */
	uint64_t free_since_us; /* nobody has owned it since then; UINT64_MAX: somebody does */
	/* ownership.c's: */
	enum group_stage stage;
	uint64_t held_epoch; /* while it is ours */
	size_t next_owner_len;
	char next_owner[OWNER_BYTES]; /* should the transaction under way happen */
	uint64_t changed_in;          /* what was read in this reading and before may be older than what we have done */
	uint64_t due_us;              /* the next attempt: not before */
	bool gives_up;                /* it is given to nobody in particular */
	char name[NAME_MAX_BYTES];
};

struct ownership;

struct table {
	struct ownership *ownership;                    /* of its groups, once there is one */
	struct table_member members[TABLE_MAX_MEMBERS]; /* in the order of their names, as are: */
	size_t n_members;
	struct table_group *groups[TABLE_MAX_GROUPS];
	size_t n_groups;
	uint64_t reading;   /* the number of the one under way, or the last one */
	bool has_changed;   /* since whoever looks at that has cleared it */
	bool has_overflown; /* there are more daemons or groups than it has room for */
};

struct table *table_create(void); /* NULL: no memory */
void table_destroy(struct table *table);

void table_begin(struct table *table);
/* Takes over a row of "m/" or "g/"; one that it does not understand is left out. */
void table_row(struct table *table, const struct engine_row *row, uint64_t now_us);
/* Removes what was not read again; but a group stays, unless it is neither owned nor wanted. */
void table_end(struct table *table, uint64_t now_us);

/* NULL: it is not there. */
struct table_member *table_member(struct table *table, struct slice name);
struct table_group *table_group(const struct table *table, struct slice name);
/* Adds a group. NULL: no memory, or there are too many. */
struct table_group *table_add_group(struct table *table, struct slice name);

/* Sets the group's owner, as the engine is known to have it. */
void table_set_owner(struct table_group *group, struct slice owner, uint64_t now_us);

static inline struct slice member_name(const struct table_member *member)
{
	return (struct slice){member->name, member->name_len};
}

static inline struct slice member_value(const struct table_member *member)
{
	return (struct slice){member->value, member->value_len};
}

/* What its value says; slices point into the member. */
static inline struct cluster_member member_info(const struct table_member *member)
{
	struct cluster_member info = {0};
	member_read(member_value(member), &info);
	return info;
}

static inline struct slice group_name(const struct table_group *group)
{
	return (struct slice){group->name, group->name_len};
}

static inline struct slice group_home(const struct table_group *group)
{
	return (struct slice){group->home, group->home_len};
}

static inline struct slice group_owner(const struct table_group *group)
{
	return (struct slice){group->owner, group->owner_len};
}

#endif
