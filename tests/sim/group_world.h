/* A world of the simulation of groups: cores that groups come to and go from, what each group has recorded, what was
 * asked, and what is known of each value. */
#ifndef MILLRACE_TESTS_SIM_GROUP_WORLD_H
#define MILLRACE_TESTS_SIM_GROUP_WORLD_H

#include <check.h>
#include <inttypes.h>

#include "daemon/core/core.h"
#include "daemon/journal/record.h"

enum { CORES = 2, GROUPS = 3, CONNECTIONS = 3, IDS = 4096, TOKENS = 512, ASKED = 1024, CHANNELS = 4 };

struct group_seen { /* in all worlds */
	uint64_t operations, released, crashed, adopted, in_slices, moved, cross, checkpoints, given, acked, sticky;
};

struct group_daemon {
	struct core *core;
	struct record_buffer records;
	uint64_t batch;
	struct core_connection *connections[CONNECTIONS];
	int cookies[CONNECTIONS];
	bool is_checkpointing;
	size_t floor[GROUPS]; /* the length of the group's log since when all is written again */
};

struct group_facts {
	bool is_in;   /* it was said to have entered a durable channel */
	bool is_gone; /* it was plainly taken, or acknowledged */
	bool never;   /* it was said not to have entered */
	int group;
};

struct group_token {
	struct core_token token;
	uint32_t ids[8];
	uint32_t n;
	int group;
};

struct group_asked {
	uint64_t id;
	uint32_t first, n; /* of a put: its values */
	int daemon, connection, group, channel;
	struct group_token *token; /* of an ack, nack or extend */
};

struct group_world {
	uint64_t random, now_us, last_id;
	struct group_daemon daemons[CORES];
	int owner[GROUPS]; /* -1: nobody */
	bool is_served[GROUPS], was_made[GROUPS];
	struct record_buffer logs[GROUPS];
	struct group_facts ids[IDS];
	uint32_t n_ids;
	struct group_token tokens[TOKENS];
	uint32_t n_tokens;
	struct group_asked asked[ASKED];
	uint32_t n_asked;
	struct core_limits limits;
	uint64_t seed;
	struct group_seen *seen;
};

extern const char *const group_names[GROUPS];

/* Ends the test, and names the seed, unless `what` is so. */
#define HOLDS(world, what, format, ...) ck_assert_msg(what, "seed %" PRIu64 ": " format, (world)->seed, ##__VA_ARGS__)

uint32_t group_below(struct group_world *world, uint32_t n);
bool group_one_in(struct group_world *world, uint32_t n);
/* The name of a group's channel. */
struct slice group_channel(int group, int channel);

/* What has gathered is kept, in the logs of its groups, which have to be this daemon's. */
void group_keep_records(struct group_world *world, int d);
/* What the daemon's core replies has to agree with all that was said before. */
void group_step(struct group_world *world, int d, struct core_event *event);
void group_tick(struct group_world *world, int d);

#endif
