/* Daemons begin and crash; groups come to them and go, by plan or because of that. */
#ifndef MILLRACE_TESTS_SIM_GROUP_MOVES_H
#define MILLRACE_TESTS_SIM_GROUP_MOVES_H

#include "tests/sim/group_world.h"

void group_start(struct group_world *world, int d);
/* The daemon takes the group, with what was recorded of it. */
void group_adopt(struct group_world *world, int d, int group);
/* Groups that have come by now are served. */
void group_look_at_comers(struct group_world *world);
/* One of the groups goes, or comes, or its daemon crashes. */
void group_move_any(struct group_world *world);

#endif
