#include "client/cli/tap_rule.h"

#include <string.h>

#include "client/cli/report.h"
#include "client/cli/value_text.h"
#include "proto/json_scan.h"

/* Whether it is a JSON value that a match can ask for. */
static bool is_scalar(struct slice text)
{
	struct json_scan scan;
	struct slice raw;
	enum json_type type;

	json_scan_init(&scan, text.bytes, text.len);
	type = json_scan_value(&scan, &raw);
	return type != JSON_TYPE_NONE && type != JSON_TYPE_OBJECT && type != JSON_TYPE_ARRAY && raw.len == text.len;
}

static int write_one(const struct call *call, const char *rule, struct buffer *out)
{
	const char *equals = strchr(rule, '=');
	char error[VALUE_TEXT_ERROR_BYTES] = "";

	if (!equals || (*rule != '/' && equals != rule))
		return report_usage(call,
				    "--match is POINTER=VALUE, such as /type=order or /customer/vip=true, and not '%s'",
				    rule);
	if (value_text_quote((struct slice){rule, (size_t)(equals - rule)}, out, error) < 0)
		return report_usage(call, "--match '%s': %s", rule, error);
	buffer_append(out, ":", 1);
	if (is_scalar(slice_from(equals + 1)))
		buffer_append(out, equals + 1, strlen(equals + 1));
	else if (value_text_quote(slice_from(equals + 1), out, error) < 0)
		return report_usage(call, "--match '%s': %s", rule, error);
	return 0;
}

int tap_rule_write(const struct call *call, struct buffer *out)
{
	for (size_t i = 0; i < call->n_matches; i++) {
		buffer_append(out, i ? "," : "{", 1);
		int code = write_one(call, call->matches[i], out);
		if (code != 0)
			return code;
	}
	buffer_append(out, "}", 2);
	if (out->failed) {
		report(call, NULL, "not enough memory");
		return EXIT_ERROR;
	}
	return 0;
}
