#include "client/cli/units.h"

#include <string.h>

#include "proto/message.h"

/* The digits at *text, which is moved behind them. -1: there are none, or they are more than `highest`. */
static int parse_digits(const char **text, uint64_t highest, uint64_t *number)
{
	const char *at = *text;
	uint64_t sum = 0;

	if (*at < '0' || *at > '9')
		return -1;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (sum > (highest - digit) / 10)
			return -1;
		sum = sum * 10 + digit;
	}
	*text = at;
	*number = sum;
	return 0;
}

int units_parse_ms(const char *text, int64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
	uint64_t number;

	if (parse_digits(&text, MESSAGE_MAX_MS, &number) < 0)
		return -1;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(text, units[i].name) != 0)
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
	uint64_t number;

	if (highest < 10 || parse_digits(&text, highest, &number) < 0 || *text || number < lowest)
		return -1;
	*count = number;
	return 0;
}
