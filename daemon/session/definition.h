/* What a channel shall be, as requests say it, and what is wrong with that: in words for people, or NULL. */
#ifndef MILLRACE_SESSION_DEFINITION_H
#define MILLRACE_SESSION_DEFINITION_H

#include "daemon/session/session.h"
#include "proto/name.h"

/* That of a create, or of a tap that makes its channel. */
const char *definition_read(const struct message_request *request, struct core_definition *definition);

/* Whether a channel that is defined so can be durable here. */
const char *definition_check_durable(const struct sessions *all, const struct core_definition *definition);

/* Puts what an alter says into the channel's definition. */
const char *definition_alter(const struct message_request *request, struct core_definition *definition);

/* A name for a channel that has none: a prefix, the group in braces unless it is `default`, and random digits. Returns
 * its length; negative: -ERROR_INTERNAL or -ERROR_BAD_CHANNEL. */
int channel_make_up_name(char name[NAME_MAX_BYTES + 1], const char *prefix, struct slice group);

#endif
