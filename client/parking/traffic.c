/* Bytes in, replies to their requests; frames out. One write a turn of the loop. */
#include "client/parking/parking.h"

#include <limits.h>
#include <stdio.h>

#include "client/blocking/clock.h"
#include "client/machine/reply.h"

enum { READS_A_TURN = 4 }; /* so that others of the loop have their turn too */

/* A reply with id null: of a put without one, or the daemon's last words. */
static void take_notice(mr_parking *p, const struct message_reply *reply)
{
	int status = reply_status(reply), len = reply->message.len < INT_MAX ? (int)reply->message.len : INT_MAX;
	char channel[160];

	if (reply->channel.len) {
		snprintf(p->notice_text, sizeof p->notice_text, "%.*s", len, len ? reply->message.bytes : "");
		snprintf(channel, sizeof channel, "%.*s",
			 (int)(reply->channel.len < sizeof channel ? reply->channel.len : sizeof channel),
			 reply->channel.bytes);
		parking_tell_news(p, MR_EVENT_PUT_FAILED, status, p->notice_text, channel);
	} else if (reply->status == STATUS_ERROR) {
		p->notice = status;
		snprintf(p->notice_text, sizeof p->notice_text, "%.*s", len, len ? reply->message.bytes : "");
	}
}

/* What has been fed. */
static void deliver(mr_parking *p)
{
	struct client_request *pending;
	struct message_reply reply;

	while (!p->is_dead && p->link.fd >= 0) {
		switch (client_next(&p->client, &pending, &reply)) {
		case CLIENT_MORE:
			return;
		case CLIENT_REPLY:
			request_reply(p, (mr_parked *)pending, &reply, true);
			break;
		case CLIENT_PART:
			request_reply(p, (mr_parked *)pending, &reply, false);
			break;
		case CLIENT_NOTICE:
			take_notice(p, &reply);
			break;
		case CLIENT_FAILED:
			connection_break(p, MR_EPROTOCOL, "%s", client_error(&p->client));
			return;
		}
	}
}

/* The daemon has closed. If it has said why, that is the reason to give. */
static void broken_by_peer(mr_parking *p, ssize_t problem)
{
	if (p->notice)
		connection_break(p, p->state == PARKING_GREETS ? p->notice : MR_ECONNECTION,
				 "the connection ended: %s: %s", mr_status_name(p->notice), p->notice_text);
	else
		connection_break(p, MR_ECONNECTION, "the connection ended: %s", link_words(problem));
}

/* Reads once. Whether there may be more. */
static bool read_once(mr_parking *p)
{
	size_t len;
	char *room = client_room(&p->client, &len);
	ssize_t n;

	if (!room) {
		connection_break(p, MR_ECONNECTION, "the connection was given up: %s", client_error(&p->client));
		return false;
	}
	n = link_read(&p->link, room, len);
	if (n > 0) {
		p->moved_ms = p->heard_ms = clock_now_ms();
		client_fed(&p->client, (size_t)n);
		deliver(p);
		return !p->is_dead && p->link.fd >= 0 && ((size_t)n == len || link_has_more(&p->link));
	}
	if (n != LINK_AGAIN)
		broken_by_peer(p, n);
	return false;
}

void traffic_read(mr_parking *p)
{
	for (int i = 0; i < READS_A_TURN; i++)
		if (!read_once(p))
			return;
	if (link_has_more(&p->link)) /* of which the socket does not tell */
		event_active(p->reading, EV_READ, 0);
}

void traffic_write(mr_parking *p)
{
	struct buffer *out = &p->client.out;

	if (p->link.fd < 0 || p->state < PARKING_GREETS)
		return;
	for (;;) {
		ssize_t n;

		requests_pump(p);
		if (buffer_len(out) == 0)
			break;
		n = link_write(&p->link, out->bytes + out->start, buffer_len(out));
		if (n == LINK_AGAIN)
			break;
		if (n < 0) {
			while (read_once(p)) /* the daemon may have said why before it closed */
				;
			if (!p->is_dead && p->link.fd >= 0)
				broken_by_peer(p, n);
			return;
		}
		p->moved_ms = clock_now_ms();
		p->n_sent += (uint64_t)n;
		buffer_consume(out, (size_t)n);
	}
	if (buffer_len(out) && !p->is_writing)
		event_add(p->writing, NULL);
	else if (!buffer_len(out) && p->is_writing)
		event_del(p->writing);
	p->is_writing = buffer_len(out) > 0;
}
