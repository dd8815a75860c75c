/* Connecting to a daemon: its socket addresses one after the other, each in its share of the time, and TLS. Nothing
 * here ever waits: whoever dials looks names up, waits for the uplink, and goes on. */
#ifndef MILLRACE_CLIENT_NET_DIAL_H
#define MILLRACE_CLIENT_NET_DIAL_H

#include <netdb.h>
#include <stdint.h>

#include "client/machine/url.h"
#include "client/net/uplink.h"

struct dial {                  /* zero-initialised: nobody dials */
	const struct url *url; /* NULL: nobody has dialled yet, and there is no uplink */
	struct secure *secure;
	const struct addrinfo *address; /* the one that is tried; NULL of a Unix socket */
	struct uplink uplink;           /* after that: whoever has dialled goes on with it */
	unsigned n_uplinks;             /* how many there were; so whether this is still the same */
	int progress;                   /* of uplink_result.h, or an error */
	int64_t ends_ms, address_ends_ms;
};

/* Each of these returns dial->progress: how it has come, and what to wait for; or why the last address has failed, and
 * then there is no uplink.
 *
 * Begins, with what getaddrinfo() has found, until ends_ms at the latest; the addresses have to stay until it is over.
 * Of Unix sockets they are NULL. */
int dial_begin(struct dial *dial, const struct url *url, struct secure *secure, const struct addrinfo *addresses,
	       int64_t now_ms, int64_t ends_ms);

/* What it waits for has come; or it is dial_due_ms(). */
int dial_go_on(struct dial *dial, int64_t now_ms);
int dial_expire(struct dial *dial, int64_t now_ms);

/* When it has waited long enough for the present step; INT64_MAX: it waits for nothing. */
int64_t dial_due_ms(const struct dial *dial);

/* Gives up, or hangs up. */
void dial_end(struct dial *dial);

#endif
