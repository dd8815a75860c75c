/* libevent's base of a loop. For net/ alone: nothing above it knows libevent. */
#ifndef MILLRACE_NET_LOOP_BASE_H
#define MILLRACE_NET_LOOP_BASE_H

#include "daemon/net/loop.h"

struct event_base;

struct event_base *loop_base(struct loop *loop);

#endif
