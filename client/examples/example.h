/* What every example needs, so that each can show one thing: a way to the daemon, channels to play with, and words when
 * a call fails. */
#ifndef MILLRACE_EXAMPLE_H
#define MILLRACE_EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include <millrace.h>

/* Ends the program if the call has failed; else returns its status, which is an answer: MR_OK, MR_TIMEOUT, MR_CLOSED …
 */
static inline int must(int status, const char *call)
{
	if (status >= 0)
		return status;
	fprintf(stderr, "%s: %s\n", call, mr_message());
	exit(1);
}
#define MUST(call) must((call), #call)

/* Connects to the daemon that `url` names; NULL: $MILLRACE_URL, or else the one on this machine. */
static inline mr *example_connect(const char *url)
{
	mr *m;

	MUST(mr_connect(&m, url, &(struct mr_options){.name = "example"}));
	return m;
}

/* Makes a channel that goes when this program does. In earnest, channels stand in the daemon's configuration. */
static inline void example_channel(mr *m, const char *name, const char *kind, uint64_t capacity)
{
	MUST(mr_create(m, name, &(struct mr_definition){.kind = kind, .capacity = capacity, .ephemeral = true}, NULL,
		       NULL));
}

/* Puts some JSON, without a time-out. */
static inline void example_put(mr *m, const char *channel, const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

	MUST(mr_put(m, channel, value, MR_FOREVER));
	json_decref(value);
}

/* Prints a value, and frees it. */
static inline void example_print(const char *before, json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	printf("%s%s\n", before, text ? text : "?");
	free(text);
	json_decref(value);
}

#endif
