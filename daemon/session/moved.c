#include "daemon/session/moved.h"

#include <stdio.h>

#include "proto/name.h"

bool session_serves(const struct session *session, struct slice channel)
{
	return core_serves(session->all->core, channel);
}

/* There is no other to ask. */
static struct answer begin_error(struct session *session, uint64_t id, struct slice channel, enum cluster_place place)
{
	struct slice group = channel_group(channel);
	char detail[NAME_MAX_BYTES + 96];
	if (place == CLUSTER_UNKNOWN) {
		snprintf(detail, sizeof(detail), "\"%.*s\"", (int)channel.len, channel.bytes);
		return answer_begin_error(session, id, ERROR_NO_SUCH_CHANNEL, detail);
	}
	if (place == CLUSTER_FULL) {
		snprintf(detail, sizeof(detail), "the cluster has as many groups as it can: no \"%.*s\"",
			 (int)group.len, group.bytes);
		return answer_begin_error(session, id, ERROR_OVERLOADED, detail);
	}
	snprintf(detail, sizeof(detail), "nobody serves the group \"%.*s\"", (int)group.len, group.bytes);
	struct answer answer = answer_begin_error(session, id, ERROR_UNAVAILABLE, detail);
	message_uint(answer.out, "retry_ms", CLUSTER_RETRY_MS);
	return answer;
}

struct answer moved_begin(struct session *session, uint64_t id, struct slice channel, bool creates)
{
	const struct cluster_view *cluster = session->all->cluster;
	struct slice group = channel_group(channel);
	struct cluster_daemon_row row;
	char detail[NAME_MAX_BYTES + 96];
	enum cluster_place place = cluster ? cluster->calls->route(cluster, group, creates, &row) : CLUSTER_NOWHERE;
	if (place != CLUSTER_THERE)
		return begin_error(session, id, channel, place);
	snprintf(detail, sizeof(detail), "the group \"%.*s\" is with daemon \"%.*s\"", (int)group.len, group.bytes,
		 (int)row.name.len, row.name.bytes);
	if (session->wire->redirect)
		session->wire->redirect(session, row.http);
	struct answer answer = answer_begin_error(session, id, ERROR_MOVED, detail);
	message_string(answer.out, "address", row.address);
	return answer;
}

void moved_answer(struct session *session, uint64_t id, struct slice channel)
{
	answer_end(session, moved_begin(session, id, channel, false));
}
