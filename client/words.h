/* What a call of the library has to say about its failure: a text for people, one for each thread. */
#ifndef MILLRACE_CLIENT_WORDS_H
#define MILLRACE_CLIENT_WORDS_H

/* Sets the thread's text (shortened if it is long) and returns `status`. */
__attribute__((format(printf, 2, 3))) int words_fail(int status, const char *format, ...);

#endif
