/* A reply's status by the public numbers. */
#ifndef MILLRACE_CLIENT_MACHINE_REPLY_H
#define MILLRACE_CLIENT_MACHINE_REPLY_H

#include "client/millrace.h"
#include "proto/message.h"

static inline int reply_status(const struct message_reply *reply)
{
	if (reply->status != STATUS_ERROR)
		return (int)reply->status;
	return reply->error == ERROR_NONE ? MR_EINTERNAL : -(int)reply->error;
}

/* How often the value, or the first of the values, has been delivered; 0: it does not say. */
static inline uint64_t reply_deliveries(struct slice raw)
{
	uint64_t number = 0;
	size_t i = 0;

	while (i < raw.len && (raw.bytes[i] < '0' || raw.bytes[i] > '9'))
		i++;
	for (; i < raw.len && raw.bytes[i] >= '0' && raw.bytes[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(raw.bytes[i] - '0');
	return number;
}

#endif
