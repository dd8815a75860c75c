#include "client/cli/report.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "client/cli/help.h"
#include "client/cli/text.h"
#include "proto/status.h"

static_assert((int)MR_TIMEOUT == (int)STATUS_TIMEOUT && (int)MR_CANCELLED == (int)STATUS_CANCELLED,
	      "statuses have the numbers of the protocol's table");

void report_text(FILE *to, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		size_t n = text_character(text, (size_t)(end - text));

		if (n == 0) {
			fprintf(to, "\\x%02x", (unsigned char)*text);
			n = 1;
		} else if (text_is_control(text, n)) {
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

void report(const struct call *call, const char *subject, const char *format, ...)
{
	va_list args;

	flockfile(stderr);
	report_begin(call, subject);
	va_start(args, format);
	report_rest(format, args);
	va_end(args);
	funlockfile(stderr);
}

int report_usage(const struct call *call, const char *format, ...)
{
	va_list args;

	report_begin(call, NULL);
	va_start(args, format);
	report_rest(format, args);
	va_end(args);
	help_usage(call->command, stderr);
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
		return EXIT_CONNECT;
	}
	return EXIT_ERROR;
}

int report_status(const struct call *call, const char *channel, int status, const char *more)
{
	if (status != MR_OK && !(status > 0 && call->quiet))
		report(call, channel, "%s%s", status > 0 ? status_text((enum status)status) : mr_message(),
		       more ? more : "");
	return report_code(status);
}
