/* A run of the core, written down: its seed, its first limits and its events, each with what it led to. Played again it
 * has to lead to the same replies and the same state: nothing but events may change what the core does. */
#ifndef MILLRACE_TESTS_SIM_RECORDING_H
#define MILLRACE_TESTS_SIM_RECORDING_H

#include "daemon/core/core.h"

struct recording;

enum { RECORDING_MAX_KEPT = 1024 }; /* replies that one connection has unsent */

/* Aborts without memory, as all of the simulation. */
struct recording *recording_create(const struct core_limits *limits, const struct core_seed *seed);
void recording_destroy(struct recording *recording);

/* The next event, before the core carries it out: with copies of all that it points to. Its connection is known by the
 * effects of its CORE_CONNECT. Quotas are not recorded. */
void recording_add_event(struct recording *recording, const struct core_event *event);

/* What came of it, before it is released. `keeps` says of a reply's cookie whether the shell keeps its values, which is
 * what core_keep() is then called for. */
void recording_add_effects(struct recording *recording, const struct core_effects *effects,
			   bool (*keeps)(void *arg, const void *cookie), void *arg);

/* The shell has sent all that the connection with this cookie had unsent. */
void recording_add_sent(struct recording *recording, const void *cookie);

/* Plays it through a fresh core. True if every step led to the same replies, and the last state is that of `core`,
 * which was recorded; else *at is the event after which they differ, or their number if only the states do. */
bool recording_play(const struct recording *recording, const struct core *core, size_t *at);

#endif
