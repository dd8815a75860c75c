/* Connecting on a loop: names looked up, addresses tried one after the other, TLS. */
#ifndef MILLRACE_CLIENT_PARKING_CONNECT_H
#define MILLRACE_CLIENT_PARKING_CONNECT_H

#include "client/parking/parking_state.h"

/* Begins an attempt. The machine is told how it ends. */
void connect_begin(mr_parking *p, struct parking_contact *of, int64_t now_ms);

/* The socket is ready for the next step. */
void connect_go_on(struct parking_contact *of);

/* When the attempt has waited long enough for the present step; and then. */
int64_t connect_due_ms(const struct parking_contact *of);
void connect_expire(struct parking_contact *of, int64_t now_ms);

/* Gives up the attempt, or the connection; no callbacks. */
void connect_close(struct parking_contact *of);

#endif
