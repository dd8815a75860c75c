#include "tests/lib/machine_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "client/machine/events.h"

int64_t now_ms;
struct machine machine;
struct sim_request requests[SIM_REQUESTS];
char news[1024];

void sim_begin(void)
{
	memset(requests, 0, sizeof requests);
	news[0] = '\0';
	now_ms = 1000000;
}

static void on_outcome(const struct machine_event *event)
{
	struct sim_request *request = (struct sim_request *)event->request;
	const struct message_reply *reply = event->reply;

	ck_assert_int_eq(request->n_last, 0);
	request->n_last += event->is_last;
	request->status = event->status;
	request->left = reply ? reply->left : event->left;
	if (reply && event->status == MR_OK) {
		request->n_values++;
		snprintf(request->value, sizeof request->value, "%.*s", (int)reply->value.len,
			 reply->value.len ? reply->value.bytes : "");
		snprintf(request->lease, sizeof request->lease, "%.*s", (int)reply->lease.len,
			 reply->lease.len ? reply->lease.bytes : "");
	}
}

void sim_deliver(void)
{
	struct machine_event event;

	for (events_next(&machine, now_ms, &event); event.kind != MACHINE_IDLE; events_next(&machine, now_ms, &event)) {
		if (event.kind == MACHINE_OUTCOME)
			on_outcome(&event);
		else
			snprintf(news + strlen(news), sizeof news - strlen(news), "%d:%s:%s ", (int)event.news,
				 event.url, event.channel ? event.channel : mr_status_name(event.status));
	}
}

void sim_run_until(int64_t end_ms, void (*settle)(void))
{
	settle();
	while (machine_due_ms(&machine) <= end_ms) {
		if (machine_due_ms(&machine) > now_ms)
			now_ms = machine_due_ms(&machine);
		settle();
	}
	now_ms = end_ms;
	settle();
}

void sim_submit(int i, int status, struct client_operation *operation)
{
	ck_assert_int_eq(status, MR_OK);
	ck_assert_int_eq(requests_submit(&machine, &requests[i].base, operation, now_ms), MR_OK);
}

void sim_put(int i, const char *channel, int64_t timeout_ms)
{
	struct client_operation operation;
	char json[16];

	snprintf(json, sizeof json, "%d", i);
	sim_submit(i, operation_put(&operation, channel, &(struct mr_put_options){0}, json, strlen(json), timeout_ms),
		   &operation);
}

void sim_put_unanswered(int i, const char *channel)
{
	struct client_operation operation;
	char json[16];

	snprintf(json, sizeof json, "%d", i);
	sim_submit(i,
		   operation_put_unanswered(&operation, channel, &(struct mr_put_options){0}, json, strlen(json),
					    MR_FOREVER, 3),
		   &operation);
}

void sim_take(int i, const char *channel, int64_t lease_ms, int64_t timeout_ms)
{
	struct client_operation operation;

	sim_submit(i, operation_take(&operation, channel, &(struct mr_take_options){.lease_ms = lease_ms}, timeout_ms),
		   &operation);
}

void sim_ack(int i, const char *lease)
{
	struct client_operation operation;

	sim_submit(i, operation_ack(&operation, lease), &operation);
}

void sim_create(int i, const char *channel)
{
	struct client_operation operation;

	sim_submit(i,
		   operation_create(&operation, channel, &(struct mr_definition){.kind = "promise", .ephemeral = true}),
		   &operation);
}

void sim_ended(int i, int status)
{
	ck_assert_msg(requests[i].n_last == 1, "request %d has not ended", i);
	ck_assert_msg(requests[i].status == status, "request %d: %s, not %s", i, mr_status_name(requests[i].status),
		      mr_status_name(status));
}

void sim_runs_still(int i)
{
	ck_assert_msg(requests[i].n_last == 0, "request %d has ended: %s", i, mr_status_name(requests[i].status));
}

void sim_expect_numbers(const json_t *values, int n)
{
	ck_assert_uint_eq(json_array_size(values), (size_t)n);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(json_integer_value(json_array_get(values, (size_t)i)), i);
}
