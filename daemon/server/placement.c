/* In a cluster: where channels of the configuration can be. */
#include "daemon/server/server_private.h"
#include "proto/name.h"

bool server_has_group_of(const struct server *server, const char *channel, struct slice group)
{
	struct slice own = channel_group(slice_from(channel));
	enum core_group_state state;
	if (!server->sessions.cluster)
		return true;
	if (group.len > 0 && !slice_equal(own, group))
		return false;
	state = core_group_state(server->core, own, NULL);
	return state == CORE_GROUP_RESTORED || state == CORE_GROUP_SERVED;
}
