/* Memory that fails when a test wants it to: the program's own malloc stands in front of libc's, for the libraries it
 * uses too. It stands in front of the address sanitizer's likewise; the thread sanitizer's cannot be stood in front of:
 * there nothing ever fails. */
#ifndef MILLRACE_TESTS_MEMORY_H
#define MILLRACE_TESTS_MEMORY_H

#include <stdbool.h>

struct memory {
	unsigned long countdown; /* 0: nothing fails; 1: the next allocation does */
	unsigned long run;       /* how many fail from then on: 1, or more */
	bool is_counting;        /* only then does anything fail */
	bool has_failed;
	long live; /* blocks; always 0 under the address sanitizer */
};

extern struct memory memory;

bool memory_can_fail(void);

#endif
