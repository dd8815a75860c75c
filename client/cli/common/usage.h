/* The words of a command, as its usage has them: how many there may be, and which of them are channels. */
#ifndef MILLRACE_CLI_COMMON_USAGE_H
#define MILLRACE_CLI_COMMON_USAGE_H

#include "client/cli/common/command.h"

enum { USAGE_LONGEST_WORD = 32 };

struct usage_word { /* zero-initialise before the first */
	char name[USAGE_LONGEST_WORD];
	bool is_optional; /* it may be left out, and with it all that follow */
	bool repeats;     /* any number of them may follow */
};

/* The next of a usage's words, without brackets and dots: "CHANNEL" of "CHANNEL [VALUE...]". False at the end, and at
 * an option. */
bool usage_next(const char **at, struct usage_word *word);

/* Whether a word of this name is the name of a channel. */
bool usage_is_channel(const char *name);

/* 0; or EXIT_USAGE, and told: no channel can have this name. */
int usage_check_channel(const struct call *call, const char *channel);

/* Whether the call's arguments are so many as its command's usage says, and channels' names where it has channels. 0,
 * or EXIT_USAGE with the mistake told. */
int usage_check(const struct call *call);

#endif
