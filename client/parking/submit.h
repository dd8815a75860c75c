/* A request of the parking client, from its operation on. */
#ifndef MILLRACE_CLIENT_PARKING_SUBMIT_H
#define MILLRACE_CLIENT_PARKING_SUBMIT_H

#include "client/parking/parking_state.h"

/* Hands in the operation, if `status` is MR_OK; else that is the result. done NULL: of a put without an answer. */
int submit(mr_parking *p, int status, struct client_operation *operation, mr_parked_cb *done, void *argument,
	   mr_parked **request);

/* What is due after a call runs in the next turn of the loop. */
void submit_run_soon(mr_parking *p);

/* A request has ended: its memory is kept for another. */
void submit_recycle(mr_parking *p, mr_parked *request);

#endif
