#include "client/machine/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/millrace.h"

enum { LONGEST_BYTES = 2048 }; /* more than mr_fail() keeps */

int fail(int status, const char *format, ...)
{
	char message[LONGEST_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	return mr_fail(status, message);
}
