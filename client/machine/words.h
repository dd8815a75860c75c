/* What a call of the library has to say about its failure: a text for people, one for each thread. */
#ifndef MILLRACE_CLIENT_MACHINE_WORDS_H
#define MILLRACE_CLIENT_MACHINE_WORDS_H

#include "client/millrace.h"

/* The parking library sets the same text, so the function has to be seen from outside this one, under a name that is
 * ours. */
#define words_fail mr_words_fail

/* Sets the thread's text (shortened if it is long) and returns `status`. */
MR_API __attribute__((format(printf, 2, 3))) int words_fail(int status, const char *format, ...);

#endif
