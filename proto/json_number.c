#include "proto/json_number.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

struct json_number json_number_read(struct slice raw)
{
	const char *at = raw.bytes, *end = raw.bytes + raw.len;
	struct json_number number = {.is_negative = *at == '-'};
	at += number.is_negative;
	const char *first = NULL, *last = NULL, *point = NULL;
	for (; at < end && (is_digit(*at) || *at == '.'); at++) {
		if (*at == '.')
			point = at;
		else if (*at != '0' && !first)
			first = at;
		if (is_digit(*at) && *at != '0')
			last = at;
	}
	if (!first) {
		number.is_negative = false;
		return number;
	}
	/* The power of ten behind the last digit that is not 0. */
	if (!point)
		number.exponent = at - 1 - last;
	else
		number.exponent = last < point ? point - 1 - last : point - last;
	number.digits = (struct slice){first, (size_t)(last + 1 - first)};
	if (at == end)
		return number;
	at++;
	bool is_down = *at == '-';
	at += *at == '-' || *at == '+';
	while (at < end && *at == '0')
		at++;
	number.is_too_long = end - at > JSON_MAX_EXPONENT_DIGITS;
	int64_t written = 0;
	for (; !number.is_too_long && at < end; at++)
		written = written * 10 + (*at - '0');
	number.exponent += is_down ? -written : written;
	return number;
}

/* The next digit from *at on, or -1 behind the last. */
static int next_digit(const struct json_number *number, size_t *at)
{
	if (*at < number->digits.len && number->digits.bytes[*at] == '.')
		++*at;
	return *at < number->digits.len ? number->digits.bytes[(*at)++] : -1;
}

bool json_numbers_equal(const struct json_number *a, const struct json_number *b)
{
	if (a->is_negative != b->is_negative || a->exponent != b->exponent || a->is_too_long || b->is_too_long)
		return a->digits.len == 0 && b->digits.len == 0;
	size_t at_a = 0, at_b = 0;
	int digit;
	do
		if ((digit = next_digit(a, &at_a)) != next_digit(b, &at_b))
			return false;
	while (digit >= 0);
	return true;
}
