/* The op cluster: the daemons of the cluster and its groups; and with a group, that this goes to another daemon. */
#include <string.h>

#include "daemon/access/auth.h"
#include "daemon/session/login.h"
#include "daemon/session/page.h"
#include "daemon/session/query.h"

/* What a row takes at most beside the texts in it. */
enum { ROW_BYTES = 128 };

static void write_group(struct buffer *out, const struct cluster_group_row *row)
{
	buffer_append(out, "{\"group\":", strlen("{\"group\":"));
	message_text(out, row->name);
	if (row->owner.len)
		message_string(out, "owner", row->owner);
	if (row->target.len)
		message_string(out, "target", row->target);
	message_uint(out, "epoch", row->epoch);
	if (row->is_served)
		message_uint(out, "lag_ms", row->lag_us / 1000);
	buffer_append(out, "}", 1);
}

static void write_daemons(struct buffer *out, const struct cluster_view *cluster)
{
	struct cluster_daemon_row row;
	message_key(out, "daemons");
	buffer_append(out, "[", 1);
	for (size_t i = 0; cluster->calls->daemon(cluster, i, &row); i++) {
		const char *opening = i ? ",{\"daemon\":" : "{\"daemon\":";
		buffer_append(out, opening, strlen(opening));
		message_text(out, row.name);
		message_string(out, "address", row.address);
		if (row.http.len)
			message_string(out, "http", row.http);
		message_bool(out, "self", row.is_self);
		buffer_append(out, "}", 1);
	}
	buffer_append(out, "]", 1);
}

static void reserve_daemons(struct page *page, const struct cluster_view *cluster)
{
	struct cluster_daemon_row row;
	for (size_t i = 0; cluster->calls->daemon(cluster, i, &row); i++)
		page_reserve(page, ROW_BYTES + row.name.len + row.address.len + row.http.len);
}

static bool is_shown(const struct session *session, struct slice group)
{
	char text[AUTH_SUBJECT_BYTES];
	return session_may_see(session, auth_group_subject(group, text));
}

static void look(struct session *session, const struct message_request *request, const struct cluster_view *cluster)
{
	struct page page;
	struct cluster_status status;
	struct cluster_group_row row;
	struct slice after = request->after;
	page_begin(&page, session, request->id, request->limit, "groups");
	reserve_daemons(&page, cluster);
	for (size_t i = 0; cluster->calls->group(cluster, i, &row); i++) {
		if (slice_compare(row.name, request->after) <= 0)
			continue;
		if (!page_look(&page))
			break;
		if (is_shown(session, row.name) && page_row(&page)) {
			write_group(page.out, &row);
			page_row_end(&page);
		}
		if (page.more)
			break;
		after = row.name;
	}
	page_end_rows(&page);
	if (page.more)
		message_string(page.out, "next", after);
	write_daemons(page.out, cluster);
	cluster->calls->status(cluster, &status);
	message_bool(page.out, "joined", status.is_joined);
	if (!status.is_joined && status.message)
		message_string(page.out, "waits_for", slice_from(status.message));
	answer_end(session, page.answer);
}

void session_cluster(struct session *session, const struct message_request *request)
{
	struct cluster_view *cluster = session->all->cluster;
	const char *why;
	if (!cluster)
		answer_error(session, request->id, ERROR_BAD_REQUEST,
			     "this daemon is alone: its configuration has no `cluster`");
	else if (!message_has(request, MEMBER_GROUP))
		look(session, request, cluster);
	else if (!cluster->calls->move(cluster, request->group, request->to, &why))
		answer_error(session, request->id, ERROR_BAD_REQUEST, why);
	else
		answer_end(session, answer_begin(session, request->id, STATUS_OK, 0));
}
