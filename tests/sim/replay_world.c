#include "tests/sim/replay_world.h"

#include <stdarg.h>

struct slice replay_name_of(int channel)
{
	return (struct slice){channel < 0 ? NULL : &sim_names[channel], channel >= 0};
}

bool replay_differ(struct replay_world *world, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(world->why, REPLAY_WHY, format, args);
	va_end(args);
	return false;
}
