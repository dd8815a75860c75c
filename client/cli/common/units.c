#include "client/cli/common/units.h"

#include <string.h>

#include "proto/json_scan.h"
#include "proto/message.h"

int units_parse_ms(const char *text, int64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
	size_t n_digits = strspn(text, "0123456789");
	unsigned long long number;

	if (json_scan_uint((struct slice){text, n_digits}, MESSAGE_MAX_MS, &number) < 0)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(text + n_digits, units[i].name) != 0)
			continue;
		if (number > MESSAGE_MAX_MS / units[i].ms)
			return -1;
		*ms = (int64_t)(number * units[i].ms);
		return 0;
	}
	return -1;
}

int units_parse_count(const char *text, uint64_t lowest, uint64_t highest, uint64_t *count)
{
	unsigned long long number;

	if (json_scan_uint(slice_from(text), highest, &number) < 0 || number < lowest)
		return -1;
	*count = number;
	return 0;
}
