/* What `top` makes of the rows of `list`: rates, and an order. */
#ifndef MILLRACE_CLI_COMMON_TOP_ROWS_H
#define MILLRACE_CLI_COMMON_TOP_ROWS_H

#include <stdint.h>

#include <jansson.h>

enum top_order { TOP_DEPTH, TOP_RATE, TOP_SHED, TOP_OLDEST, TOP_NAME, N_TOP_ORDERS };

const char *top_order_name(enum top_order order); /* "depth"; each begins with another letter */
enum top_order top_order_find(const char *name);  /* N_TOP_ORDERS: there is none */

struct top_rows { /* those of the last look; zero-initialise */
	json_t *rows;
	int64_t at_us;
};

/* Adds to each row what it has that counts: in_rate, out_rate, shed_rate (a second, since the last look: 0 for a
 * channel that was not there), shed, and oldest_ms of who waits the longest. Keeps the rows for the next time. -1: no
 * memory. */
int top_rows_update(struct top_rows *last, json_t *rows, int64_t now_us);
void top_rows_finish(struct top_rows *last);

/* The greatest first; of the same, by name. -1: no memory. */
int top_rows_sort(json_t *rows, enum top_order order);

#endif
