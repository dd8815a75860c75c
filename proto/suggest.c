#include "proto/suggest.h"

#include <stdio.h>
#include <string.h>

enum { FAR = SUGGEST_MAX_BYTES + 1 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Damerau's distance, where neighbours that are exchanged count once. */
static size_t distance_between(const char *a, const char *b)
{
	size_t len_a = strlen(a), len_b = strlen(b);
	size_t rows[3][SUGGEST_MAX_BYTES + 1];
	size_t *before = rows[0], *last = rows[1], *next = rows[2];

	if (len_a > SUGGEST_MAX_BYTES || len_b > SUGGEST_MAX_BYTES)
		return FAR;
	for (size_t j = 0; j <= len_b; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *spare = before;

		next[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			next[j] = least(least(last[j] + 1, next[j - 1] + 1), last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				next[j] = least(next[j], before[j - 2] + 1);
		}
		before = last;
		last = next;
		next = spare;
	}
	return last[len_b];
}

void suggest_consider(struct suggestion *suggestion, const char *name)
{
	size_t len = strlen(suggestion->wrong), distance = distance_between(suggestion->wrong, name);
	size_t most = len < 2 ? 0 : len < 6 ? 1 : 2;

	if (distance > most) {
		if (len < 3 || strncmp(name, suggestion->wrong, len) != 0)
			return;
		distance = most + 1; /* a beginning, which is worse than a slip */
	}
	if (*suggestion->name && distance >= suggestion->distance)
		return;
	snprintf(suggestion->name, sizeof suggestion->name, "%s", name);
	suggestion->distance = distance;
}

const char *suggest_text(const struct suggestion *suggestion, char *text, size_t size)
{
	if (*suggestion->name)
		snprintf(text, size, "; did you mean '%s'?", suggestion->name);
	else
		snprintf(text, size, "%s", "");
	return text;
}
