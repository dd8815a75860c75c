#include "client/parking/submit.h"

#include <stdlib.h>

#include "client/machine/failure.h"
#include "client/net/clock.h"
#include "client/net/process.h"

enum { MAX_SPARES = 256 };

void submit_run_soon(mr_parking *p)
{
	if (!p->is_soon)
		event_active(p->soon, 0, 0);
	p->is_soon = true;
}

void submit_recycle(mr_parking *p, mr_parked *request)
{
	if (p->is_dead || p->n_spares == MAX_SPARES) {
		free(request);
		return;
	}
	SLIST_INSERT_HEAD(&p->spares, request, spare);
	p->n_spares++;
}

static mr_parked *create(mr_parking *p)
{
	mr_parked *request = SLIST_FIRST(&p->spares);

	if (!request)
		return malloc(sizeof(*request));
	SLIST_REMOVE_HEAD(&p->spares, spare);
	p->n_spares--;
	return request;
}

static int hand_in(mr_parking *p, struct client_operation *operation, mr_parked_cb *done, void *argument,
		   mr_parked **request)
{
	mr_parked *made = create(p);
	int status;

	if (!made) {
		operation_finish(operation);
		return fail(MR_EMEMORY, "not enough memory for the request");
	}
	status = requests_submit(&p->machine, &made->base, operation, clock_now_ms());
	made->p = p;
	made->done = done;
	made->argument = argument;
	if (status != MR_OK) {
		submit_recycle(p, made);
		return status;
	}
	p->n_pending += done != NULL;
	if (request && done)
		*request = made;
	submit_run_soon(p);
	return MR_OK;
}

int submit(mr_parking *p, int status, struct client_operation *operation, mr_parked_cb *done, void *argument,
	   mr_parked **request)
{
	if (request)
		*request = NULL;
	if (status != MR_OK)
		return status;
	if (p->process != process_number())
		status = fail(MR_EARGUMENT, PROCESS_FORKED);
	else if (!done && !operation->is_unanswered)
		status = fail(MR_EARGUMENT, "a request needs a callback");
	if (status == MR_OK)
		return hand_in(p, operation, done, argument, request);
	operation_finish(operation);
	return status;
}
