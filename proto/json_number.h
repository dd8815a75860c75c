/* Numbers by their value, exactly, whatever their size: digits without zeros at either end, times a power of ten. So
 * each value has one form. Pure. */
#ifndef MILLRACE_PROTO_JSON_NUMBER_H
#define MILLRACE_PROTO_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/slice.h"

enum { JSON_MAX_EXPONENT_DIGITS = 9 };

struct json_number {
	struct slice digits; /* as they stand, perhaps with a point amid them; empty: zero */
	int64_t exponent;    /* of ten, behind the last of the digits */
	bool is_negative;
	bool is_too_long; /* the exponent has more than JSON_MAX_EXPONENT_DIGITS */
};

/* From the text of a valid number, which stays where it is. */
struct json_number json_number_read(struct slice raw);

/* Those whose exponent is too long are equal to none, but where they are zero. */
bool json_numbers_equal(const struct json_number *a, const struct json_number *b);

#endif
