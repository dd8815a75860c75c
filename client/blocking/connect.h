/* Connecting for those who may wait. */
#ifndef MILLRACE_CLIENT_BLOCKING_CONNECT_H
#define MILLRACE_CLIENT_BLOCKING_CONNECT_H

#include <stdint.h>

#include "client/net/uplink.h"
#include "client/net/url.h"

struct secure;

/* A uplink to the address, at the deadline at the latest; `secure` is for tls:// alone. MR_OK, or MR_ECONNECT with its
 * words. */
int connect_url(struct uplink *uplink, const struct url *url, const struct secure *secure, int64_t deadline_ms);

#endif
