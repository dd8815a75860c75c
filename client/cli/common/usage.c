#include "client/cli/common/usage.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/common/report.h"
#include "proto/name.h"

static size_t count_letters(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

bool usage_next(const char **at, struct usage_word *word)
{
	size_t gap = strspn(*at, " ["), len;

	word->is_optional |= memchr(*at, '[', gap) != NULL;
	*at += gap;
	if (strncmp(*at, "-- ", 3) == 0)
		*at += 3;
	len = count_letters(*at);
	if (len == 0)
		return false;
	snprintf(word->name, sizeof word->name, "%.*s", (int)len, *at);
	*at += len;
	word->repeats = strncmp(*at, "...", 3) == 0;
	*at += strspn(*at, ".]");
	return true;
}

bool usage_is_channel(const char *name)
{
	static const char *const names[] = {"CHANNEL", "FROM", "TO", "SOURCE", "TARGET"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

int usage_check_channel(const struct call *call, const char *channel)
{
	if (name_is_valid(slice_from(channel)))
		return 0;
	return report_usage(call,
			    "'%s' is not a channel's name: these are 1 to %d characters of A-Z a-z 0-9 . _ : { } -, "
			    "the first not . or -",
			    channel, NAME_MAX_BYTES);
}

int usage_check(const struct call *call)
{
	const char *usage = call->command->arguments, *at = usage;
	struct usage_word word = {.name = ""};
	int least = 0, most = 0;

	while (usage_next(&at, &word)) {
		least += !word.is_optional;
		most = word.repeats ? call->n_args : most + 1;
	}
	if (call->n_args < least)
		return report_usage(call, call->n_args == 0 ? "what is missing: %s" : "there is something missing: %s",
				    usage);
	if (call->n_args > most)
		return report_usage(call, "'%s' is one word too many", call->args[most]);
	at = usage;
	word.is_optional = false;
	for (int i = 0; i < call->n_args && usage_next(&at, &word); i++) {
		if (usage_is_channel(word.name) && usage_check_channel(call, call->args[i]) != 0)
			return EXIT_USAGE;
	}
	return 0;
}
