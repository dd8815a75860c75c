/* The request broker's envelopes: a request is {"reply_to":CHANNEL,"request":VALUE}, its answer, put to that channel,
 * {"reply":VALUE} or {"error":TEXT}: those of mr_ask() and mr_serve(). Pure. Other members are allowed, and not looked
 * at. */
#ifndef MILLRACE_CLI_COMMON_ENVELOPE_H
#define MILLRACE_CLI_COMMON_ENVELOPE_H

#include "proto/buffer.h"
#include "proto/name.h"
#include "proto/slice.h"

struct envelope_request {
	char reply_to[NAME_MAX_BYTES + 1];
	struct slice value; /* in the text that was read */
};

struct envelope_answer { /* one of the two; bytes of the other are NULL */
	struct slice value;
	struct slice error; /* a raw JSON string */
};

/* NULL; or what is wrong with the text, which is one valid JSON value, in static words. What could be read is set, the
 * rest is empty. */
const char *envelope_read_request(struct slice text, struct envelope_request *request);
const char *envelope_read_answer(struct slice text, struct envelope_answer *answer);

/* Append one. `value` is JSON, `error` any text. */
void envelope_write_request(struct buffer *out, const char *reply_to, struct slice value);
void envelope_write_reply(struct buffer *out, struct slice value);
void envelope_write_error(struct buffer *out, const char *error);

#endif
