/* Connecting for those who may wait. */
#ifndef MILLRACE_CLIENT_CONNECT_H
#define MILLRACE_CLIENT_CONNECT_H

#include <stdint.h>

#include "client/link.h"
#include "client/url.h"

/* A link to the address, at the deadline at the latest. MR_OK, or MR_ECONNECT with its words. */
int connect_url(struct link *link, const struct url *url, int64_t deadline_ms);

#endif
