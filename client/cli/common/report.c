#include "client/cli/common/report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/common/characters.h"
#include "proto/suggest.h"
#include "proto/status.h"
#include "proto/utf8.h"

static_assert((int)MR_TIMEOUT == (int)STATUS_TIMEOUT && (int)MR_CANCELLED == (int)STATUS_CANCELLED,
	      "statuses have the numbers of the protocol's table");

void report_text(FILE *to, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		size_t n = utf8_len(text, end);

		if (n == 0) {
			fprintf(to, "\\x%02x", (unsigned char)*text);
			n = 1;
		} else if (characters_is_control(text, n)) {
			fprintf(to, "\\u%04x", (unsigned char)text[n - 1]);
		} else {
			fwrite(text, 1, n, to);
		}
		text += n;
	}
}

static void report_begin(const struct call *call, const char *subject)
{
	fputs("millrace", stderr);
	if (call->command)
		fprintf(stderr, " %s", call->command->name);
	fputs(": ", stderr);
	if (subject) {
		report_text(stderr, subject, strlen(subject));
		fputs(": ", stderr);
	}
}

static void report_rest(const char *format, va_list args)
{
	char text[1024];
	int n = vsnprintf(text, sizeof text, format, args);

	if (n > 0)
		report_text(stderr, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
	fputc('\n', stderr);
}

int report(const struct call *call, const char *subject, const char *format, ...)
{
	va_list args;

	flockfile(stderr);
	report_begin(call, subject);
	va_start(args, format);
	report_rest(format, args);
	va_end(args);
	funlockfile(stderr);
	return EXIT_ERROR;
}

static void report_usage_lines(const struct command *command)
{
	if (command)
		fprintf(stderr, "usage: millrace %s [OPTION...]%s%s\n       millrace %s --help explains it\n",
			command->name, *command->arguments ? " " : "", command->arguments, command->name);
	else
		fputs("usage: millrace [OPTION...] COMMAND [ARGUMENT...]\n       millrace help lists the commands\n",
		      stderr);
}

int report_usage(const struct call *call, const char *format, ...)
{
	va_list args;

	report_begin(call, NULL);
	va_start(args, format);
	report_rest(format, args);
	va_end(args);
	report_usage_lines(call->command);
	return EXIT_USAGE;
}

int report_code(int status)
{
	switch (status) {
	case MR_OK:
		return EXIT_OK;
	case MR_TIMEOUT:
		return EXIT_TIMEOUT;
	case MR_CLOSED:
		return EXIT_CLOSED;
	case MR_DROPPED:
		return EXIT_DROPPED;
	case MR_CANCELLED:
		return EXIT_INTERRUPTED;
	case MR_EUNAUTHENTICATED:
	case MR_EDENIED:
		return EXIT_DENIED;
	case MR_ENO_SUCH_CHANNEL:
		return EXIT_NO_CHANNEL;
	case MR_ECONNECT:
	case MR_ECONNECTION:
	case MR_EDRAINING:
	case MR_UNKNOWN:
		return EXIT_CONNECT;
	}
	return EXIT_ERROR;
}

/* The command line's words where the protocol's would not help: what to do is another command, option or variable.
 * NULL: the daemon's are right. */
static const char *own_text(int status)
{
	switch (status) {
	case MR_ENO_SUCH_CHANNEL:
		return "there is no such channel; `millrace ls` lists those there are, `millrace create` makes one";
	case MR_EUNAUTHENTICATED:
		return getenv("MILLRACE_TOKEN") || getenv("MILLRACE_TOKEN_FILE")
			       ? "the daemon wants to know who this is, and does not know this token; see "
				 "MILLRACE_TOKEN"
			       : "the daemon wants to know who this is; set MILLRACE_TOKEN, or MILLRACE_TOKEN_FILE";
	case MR_ENOT_EMPTY:
		return "the channel still holds values, or some are leased or wait to be put; take them, or delete "
		       "with --force";
	case MR_ETOO_MANY_WAITERS:
		return "too many wait on the channel (its max_waiters, see `millrace waiters`); try again later";
	case MR_EFRAME_TOO_LARGE:
		return "the value is longer than the daemon takes (its max_frame)";
	case MR_EUNKNOWN_OP:
		return "the daemon is older than this program, and cannot do that";
	}
	return NULL;
}

/* What follows the general text says only which channel it was: the subject of the line, which stands before it
 * already. */
static bool is_subject(const char *detail, const char *subject)
{
	size_t len = subject ? strlen(subject) : 0;

	return len > 0 && strncmp(detail, ": \"", 3) == 0 && strncmp(detail + 3, subject, len) == 0 &&
	       strcmp(detail + 3 + len, "\"") == 0;
}

const char *report_describe(const char *subject, int status, char *text, size_t size)
{
	const char *message = status > 0 ? status_text((enum status)status) : mr_message(), *own = own_text(status);
	const char *general = status < 0 && status > -(int)ERROR_COUNT ? error_text((enum error) - status) : "";
	char bad_request[256];
	const char *inner; /* such an error of the daemon, as the reason of another */
	size_t len = strlen(general);
	bool is_general = len > 0 && strncmp(message, general, len) == 0;

	snprintf(bad_request, sizeof bad_request, "bad_request: %s: ", error_text(ERROR_BAD_REQUEST));
	if (status == MR_EMEMORY)
		snprintf(text, size, "not enough memory");
	else if ((inner = strstr(message, bad_request)))
		snprintf(text, size, "%.*s%s", (int)(inner - message), message, inner + strlen(bad_request));
	else if (status == MR_EBAD_REQUEST && is_general && strncmp(message + len, ": ", 2) == 0)
		snprintf(text, size, "%s", message + len + 2); /* nobody here can correct a member of a request */
	else if (is_general && is_subject(message + len, subject))
		snprintf(text, size, "%s", own ? own : general);
	else if (own && is_general)
		snprintf(text, size, "%s%s", own, message + len);
	else
		snprintf(text, size, "%s", message);
	return text;
}

int report_status(const struct call *call, const char *channel, int status, const char *more)
{
	char text[768];

	if (status != MR_OK && !(status > 0 && call->quiet))
		report(call, channel, "%s%s", report_describe(channel, status, text, sizeof text), more ? more : "");
	return report_code(status);
}
