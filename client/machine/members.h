/* Arguments into the members of requests, as text (see message.h): checked, so that what is impossible is never sent.
 * For both APIs.
 *
 * Each appends to a buffer, which is the caller's, to be freed on an error too. Returns MR_OK, or an error with its
 * words. */
#ifndef MILLRACE_CLIENT_MACHINE_MEMBERS_H
#define MILLRACE_CLIENT_MACHINE_MEMBERS_H

#include "client/millrace.h"
#include "proto/buffer.h"
#include "proto/message.h"

int members_text(struct buffer *members, const char *key, const char *text); /* a string, which has to be UTF-8 */
int members_channel(struct buffer *members, const char *channel);
int members_timeout(struct buffer *members, int64_t timeout_ms);
int members_lease(struct buffer *members, int64_t lease_ms, bool sticky); /* lease_ms 0: none */

int members_put(struct buffer *members, const char *channel, bool many, const char *json, size_t len);
int members_take(struct buffer *members, const char *channel, const struct mr_take_options *options);
int members_values(struct buffer *members, bool many, const char *json, size_t len); /* of a put, without its channel */
int members_take_options(struct buffer *members,
			 const struct mr_take_options *options); /* of a take, without its channel */
int members_alts(struct buffer *members, const struct mr_arm *arms, size_t n_arms,
		 const struct mr_alts_options *options);
int members_definition(struct buffer *members, const char *channel,
		       const struct mr_definition *definition); /* channel NULL: the daemon makes up a name */

int members_nack(struct buffer *members, const char *lease, int64_t delay_ms);
int members_extend(struct buffer *members, const char *lease, int64_t lease_ms);

bool arms_have_put(const struct mr_arm *arms, size_t n_arms);

/* Whether a time-out is possible. */
int timeout_check(int64_t timeout_ms);

/* Whether the text is UTF-8; `what` is said of it if not. */
int text_check(const char *what, const char *text);

/* Whether the text is one JSON value, or an array of values, that can be put. */
int json_text_check(const char *json, size_t len);
int json_text_check_array(const char *json, size_t len);

/* A jansson value as text, to be freed; NULL and *status with its words. */
char *json_text_from(const json_t *value, size_t *len, int *status);

#endif
