#include "client/parking/callbacks.h"

#include <string.h>

#include "client/machine/reply.h"
#include "client/parking/submit.h"

enum { CALLBACKS_A_TURN = 1000 };

static void tell_news(mr_parking *p, const struct machine_event *event, enum mr_event kind)
{
	struct mr_news news = {
		.event = kind,
		.status = event->status,
		.message = event->message,
		.url = event->url,
		.channel = event->channel,
	};

	if (p->on_news)
		p->on_news(p, &news, p->argument);
}

static void fill_outcome(mr_parking *p, struct mr_outcome *outcome, const struct machine_event *event)
{
	const struct message_reply *reply = event->reply;
	struct slice raw;

	*outcome = (struct mr_outcome){
		.status = event->status, .is_last = event->is_last, .message = event->message, .left = event->left};
	if (!reply)
		return;
	raw = reply->value.len ? reply->value : reply->values;
	outcome->raw = raw.len ? raw.bytes : NULL;
	outcome->raw_len = raw.len;
	outcome->arm = (size_t)reply->arm;
	outcome->accepted = reply->accepted;
	outcome->evicted = reply->evicted;
	outcome->left = reply->left;
	outcome->origin = reply->origin.len ? reply->origin.bytes : NULL;
	outcome->origin_len = reply->origin.len;
	outcome->body = reply->body.bytes;
	outcome->body_len = reply->body.len;
	if (reply->lease.len && reply->lease.len < sizeof p->lease) {
		memcpy(p->lease, reply->lease.bytes, reply->lease.len);
		p->lease[reply->lease.len] = '\0';
		outcome->lease = p->lease;
		outcome->deliveries = reply_deliveries(reply->deliveries);
	}
}

/* Of a put without an answer nothing is told unless it went wrong; and what nobody knows of is no news. */
static void tell_outcome(mr_parking *p, const struct machine_event *event)
{
	mr_parked *request = (mr_parked *)event->request;
	struct mr_outcome outcome;

	if (event->is_last)
		p->n_pending -= request->done != NULL;
	if (request->done) {
		fill_outcome(p, &outcome, event);
		request->done(p, &outcome, request->argument);
	} else if (event->status != MR_OK && event->status != MR_DROPPED && event->status != MR_UNKNOWN) {
		tell_news(p, event, MR_EVENT_PUT_FAILED);
	}
	if (event->is_last)
		submit_recycle(p, request);
}

/* Tells what has come. False: there is more, for another turn of the loop; or the client is dead. */
bool callbacks_tell(mr_parking *p, int64_t now_ms)
{
	struct machine_event event;

	for (int i = 0; i < CALLBACKS_A_TURN; i++) {
		events_next(&p->machine, now_ms, &event);
		switch (event.kind) {
		case MACHINE_IDLE:
			return true;
		case MACHINE_OUTCOME:
			tell_outcome(p, &event);
			break;
		case MACHINE_NEWS:
			tell_news(p, &event, event.news);
			break;
		}
		if (p->is_dead)
			return false;
	}
	submit_run_soon(p);
	return false;
}
