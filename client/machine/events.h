/* What a machine tells its driver of requests and connections. */
#ifndef MILLRACE_CLIENT_MACHINE_EVENTS_H
#define MILLRACE_CLIENT_MACHINE_EVENTS_H

#include "client/machine/machine.h"

enum machine_event_kind { MACHINE_IDLE, MACHINE_OUTCOME, MACHINE_NEWS };

struct machine_event { /* valid until the next call of the machine, but for requests_submit() and requests_cancel() */
	enum machine_event_kind kind;
	struct machine_request *request;   /* of an outcome */
	bool is_last;                      /* the request is the driver's again */
	const struct message_reply *reply; /* NULL: none came */
	uint64_t left;                     /* of a take with count that ends without a reply */
	enum mr_event news;                /* of news */
	int status;
	const char *message; /* for people; "" where there is none */
	const char *url;     /* the daemon that it is about */
	const char *channel; /* of MR_EVENT_CHANNEL_LOST and MR_EVENT_PUT_FAILED */
};

/* Gives the next event. */
void events_next(struct machine *machine, int64_t now_ms, struct machine_event *event);

/* Whether there is any event that no bytes have brought. */
bool events_are_there(const struct machine *machine);

/* Whether a daemon's hello tells of this feature. */
bool events_has_feature(const json_t *hello, const char *name);

#endif
