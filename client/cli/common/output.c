#include "client/cli/common/output.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/common/value_text.h"
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

/* A value's line: behind its lease if `leased` is not NULL, and before its origin, a JSON object, if it has one. */
static void print_value(const struct call *call, const char *channel, const struct mr_result *leased,
			struct slice value, struct slice origin)
{
	static const char *const lease_forms[] = {
		[FORMAT_TEXT] = "%s %" PRIu64 " ",
		[FORMAT_RAW] = "%s\t%" PRIu64 "\t",
		[FORMAT_JSON] = "\"lease\":\"%s\",\"deliveries\":%" PRIu64 ",",
	};
	bool is_json = call->format == FORMAT_JSON;

	fputs(is_json ? "{" : "", stdout);
	if (leased)
		printf(lease_forms[call->format], leased->lease, leased->deliveries);
	if (is_json)
		printf("\"channel\":\"%s\",\"value\":", channel);
	output_bare(call, value);
	if (is_json && origin.bytes)
		printf(",\"origin\":%.*s", (int)origin.len, origin.bytes);
	fputs(is_json ? "}\n" : "\n", stdout);
}

void output_value(const struct call *call, const char *channel, struct slice value)
{
	print_value(call, channel, NULL, value, (struct slice){NULL, 0});
}

void output_taken(const struct call *call, const char *channel, const struct mr_result *result)
{
	print_value(call, channel, call->lease_ms != MR_FOREVER ? result : NULL,
		    (struct slice){result->raw, result->raw_len},
		    result->origin ? slice_from(result->origin) : (struct slice){NULL, 0});
}

/* The next of an array's values; bytes NULL: there is none, or no array. */
static struct slice next_of(struct json_scan *scan, bool *first)
{
	struct slice value = {NULL, 0};

	if (!json_scan_element(scan, first) || json_scan_value(scan, &value) == JSON_TYPE_NONE)
		return (struct slice){NULL, 0};
	return value;
}

size_t output_values(const struct call *call, const char *channel, struct slice array, const char *origins)
{
	struct json_scan scan, origin_scan;
	struct slice value, origin = {NULL, 0};
	bool first = true, origins_first = true, has_origins;
	size_t n = 0;

	json_scan_init(&scan, array.bytes, array.len);
	if (!json_scan_enter(&scan, '['))
		return 0;
	json_scan_init(&origin_scan, origins ? origins : "", origins ? strlen(origins) : 0);
	has_origins = origins && json_scan_enter(&origin_scan, '[');
	for (; (value = next_of(&scan, &first)).bytes; n++) {
		if (has_origins)
			origin = next_of(&origin_scan, &origins_first);
		print_value(call, channel, NULL, value,
			    slice_equal(origin, SLICE("null")) ? (struct slice){NULL, 0} : origin);
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
