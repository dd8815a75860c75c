#include "daemon/session/answer_value.h"

/* The value may be gone before it is sent: another with the same bytes keeps these. */
static bool refer(struct session *session, struct value *value)
{
	struct value *kept = value_copy(value);
	if (kept && stream_refer(&session->stream, kept->bytes, kept->len, kept))
		return true;
	value_destroy(kept);
	return false;
}

void answer_value(const struct answer *answer, struct value *value)
{
	if (!answer_refers(answer, value) || !refer(answer->session, value))
		buffer_append(answer->out, value->bytes, value->len);
}

void answer_release_value(void *value)
{
	value_destroy(value);
}
