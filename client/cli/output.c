#include "client/cli/output.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/value_text.h"
#include "proto/json_scan.h"

void output_bare(const struct call *call, struct slice value)
{
	struct buffer out = {0};

	if (call->format == FORMAT_RAW)
		value_text_append_plain(&out, value);
	else
		value_text_append_line(&out, value, isatty(STDOUT_FILENO));
	if (out.failed) /* so it goes out as it came */
		fwrite(value.bytes, 1, value.len, stdout);
	else
		fwrite(out.bytes + out.start, 1, buffer_len(&out), stdout);
	buffer_finish(&out);
}

void output_value(const struct call *call, const char *channel, struct slice value)
{
	if (call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"value\":", channel);
	output_bare(call, value);
	fputs(call->format == FORMAT_JSON ? "}\n" : "\n", stdout);
}

static void print_leased(const struct call *call, const char *channel, struct slice value, const char *lease,
			 uint64_t deliveries)
{
	static const char *const formats[] = {
		[FORMAT_TEXT] = "%s %" PRIu64 " ",
		[FORMAT_RAW] = "%s\t%" PRIu64 "\t",
		[FORMAT_JSON] = "{\"lease\":\"%s\",\"deliveries\":%" PRIu64 ",",
	};

	printf(formats[call->format], lease, deliveries);
	if (call->format == FORMAT_JSON)
		printf("\"channel\":\"%s\",\"value\":", channel);
	output_bare(call, value);
	fputs(call->format == FORMAT_JSON ? "}\n" : "\n", stdout);
}

void output_taken(const struct call *call, const char *channel, const struct mr_result *result)
{
	struct slice value = {result->raw, result->raw_len};

	if (call->lease_ms != MR_FOREVER)
		print_leased(call, channel, value, result->lease, result->deliveries);
	else
		output_value(call, channel, value);
}

size_t output_values(const struct call *call, const char *channel, struct slice array)
{
	struct json_scan scan;
	struct slice value;
	bool first = true;
	size_t n = 0;

	json_scan_init(&scan, array.bytes, array.len);
	if (!json_scan_enter(&scan, '['))
		return 0;
	while (json_scan_element(&scan, &first) && json_scan_value(&scan, &value) != JSON_TYPE_NONE) {
		output_value(call, channel, value);
		n++;
	}
	return n;
}

int output_flush(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -1;
}

bool output_is_orphaned(void)
{
	struct pollfd fd = {.fd = STDOUT_FILENO};

	return poll(&fd, 1, 0) == 1 && fd.revents & (POLLERR | POLLHUP);
}

bool output_is_pipe(void)
{
	struct stat about;

	return fstat(STDOUT_FILENO, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}
