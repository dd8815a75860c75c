/* How a call of the library fails: with a status, and a text for people, one for each thread. */
#ifndef MILLRACE_CLIENT_MACHINE_FAILURE_H
#define MILLRACE_CLIENT_MACHINE_FAILURE_H

/* Sets what mr_message() says (shortened if it is long) and returns `status`. */
__attribute__((format(printf, 2, 3))) int fail(int status, const char *format, ...);

#endif
