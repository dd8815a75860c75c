/* Values in answers: large ones are not copied, but sent from where they are. */
#ifndef MILLRACE_SESSION_ANSWER_VALUE_H
#define MILLRACE_SESSION_ANSWER_VALUE_H

#include "daemon/session/session.h"

/* Whether so long a value is not copied into such an answer. */
static inline bool answer_refers(const struct answer *answer, const struct value *value)
{
	return answer->session && value->len >= VALUE_LARGE_BYTES;
}

/* Appends a value's bytes, behind which something else will come. */
void answer_value(const struct answer *answer, struct value *value);

/* The stream's: a value that it referred to is not needed any more. */
void answer_release_value(void *value);

#endif
