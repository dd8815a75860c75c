#include "client/net/entropy.h"

#include <sys/random.h>

#include "client/net/clock.h"

uint64_t entropy_number(void)
{
	uint64_t number = (uint64_t)clock_now_ms(); /* should there be nothing better */

	(void)!getrandom(&number, sizeof number, 0);
	return number;
}

void entropy_digits(char *to, size_t n)
{
	uint64_t number = 0;

	for (size_t i = 0; i < n; i++, number >>= 4) {
		if (i % 16 == 0)
			number = entropy_number();
		to[i] = "0123456789abcdef"[number & 15];
	}
	to[n] = '\0';
}
