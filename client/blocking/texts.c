/* What the library says to people: the thread's last failure, names of statuses, the version. */
#include "client/millrace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/status.h"

/* The public numbers are the protocol's words by another name: they are told apart by their sign alone. */
#define STATUS(name, word, text)
#define ERROR(name, word, text)                                                                                        \
	static_assert(MR_E##name == -(int)ERROR_##name, "mr_status has every error of the protocol");
#include "proto/status.def"
#undef STATUS
#undef ERROR
static_assert((int)MR_OK == (int)STATUS_OK && (int)MR_TIMEOUT == (int)STATUS_TIMEOUT &&
		      (int)MR_CLOSED == (int)STATUS_CLOSED && (int)MR_DROPPED == (int)STATUS_DROPPED &&
		      (int)MR_CANCELLED == (int)STATUS_CANCELLED && STATUS_ERROR == STATUS_COUNT - 1,
	      "mr_status has every status of the protocol");

static _Thread_local char last_message[512];

/* Cut in the middle of a character, a text is no longer UTF-8: drops what is left of it. */
static void drop_half_character(char *text, size_t len)
{
	size_t start = len;

	while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0xc0)
		text[start - 1] = '\0';
}

int mr_fail(int status, const char *message)
{
	size_t len;

	if (message == last_message)
		return status;
	message = message ? message : "";
	len = strlen(message);
	if (len >= sizeof last_message)
		len = sizeof last_message - 1;
	memcpy(last_message, message, len);
	last_message[len] = '\0';
	if (message[len])
		drop_half_character(last_message, len);
	return status;
}

const char *mr_message(void)
{
	return last_message;
}

const char *mr_status_name(int status)
{
	switch (status) {
	case MR_ECONNECT:
		return "connect";
	case MR_ECONNECTION:
		return "connection";
	case MR_EPROTOCOL:
		return "protocol";
	case MR_EARGUMENT:
		return "argument";
	case MR_EMEMORY:
		return "memory";
	case MR_EJSON:
		return "json";
	case MR_UNKNOWN:
		return "outcome_unknown";
	case MR_EFULL:
		return "full";
	case MR_EFAILED:
		return "failed";
	}
	if (status >= 0 && status < STATUS_ERROR)
		return status_name((enum status)status);
	if (status < 0 && status > -(int)ERROR_COUNT)
		return error_name((enum error) - status);
	return "unknown";
}

const char *mr_version(void)
{
	return MILLRACE_VERSION;
}

void mr_free(void *bytes)
{
	free(bytes);
}
