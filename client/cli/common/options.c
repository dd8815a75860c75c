#include "client/cli/common/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/common/option_table.h"
#include "client/cli/common/report.h"
#include "proto/suggest.h"

enum { LONG_ONLY = 256 }; /* getopt's value of an option is this much more than its id */

/* What the long option at argv[optind - 1] may have been meant for. */
static const char *suggest_option(const struct call *call, const char *word, char *text, size_t size)
{
	uint64_t wanted = options_of(call->command);
	char wrong[SUGGEST_MAX_BYTES];
	struct suggestion suggestion = {.wrong = wrong};
	char name[SUGGEST_MAX_BYTES];

	snprintf(wrong, sizeof wrong, "%.*s", (int)strcspn(word, "="), word);
	for (int id = 0; id < N_OPTIONS; id++) {
		if (!(wanted >> id & 1))
			continue;
		snprintf(name, sizeof name, "--%s", option_rows[id].name);
		suggest_consider(&suggestion, name);
	}
	return suggest_text(&suggestion, text, size);
}

static int refuse(const struct call *call, int kind, char *const *argv)
{
	const char *word = argv[optind - 1];
	bool is_long = optopt == 0 || optopt >= LONG_ONLY;
	char hint[SUGGEST_MAX_BYTES + 32];

	if (kind == ':' && is_long)
		return report_usage(call, "%s needs %s after it", word, option_rows[optopt - LONG_ONLY].argument);
	if (kind == ':')
		return report_usage(call, "-%c needs a word after it", optopt);
	if (optopt >= LONG_ONLY)
		return report_usage(call, "%s takes no value", word);
	if (is_long)
		return report_usage(call, "there is no option %s here%s", word,
				    suggest_option(call, word, hint, sizeof hint));
	if (optopt >= '0' && optopt <= '9')
		return report_usage(call, "-%c is not an option; write -- before values that begin with -", optopt);
	return report_usage(call, "there is no option -%c here", optopt);
}

int options_parse(struct call *call, int argc, char **argv)
{
	uint64_t wanted = options_of(call->command);
	struct option longs[N_OPTIONS + 1] = {{0}};
	char shorts[2 * N_OPTIONS + 3] = "";
	size_t n_longs = 0, n_shorts = 0;
	int found;

	if (!call->command)
		shorts[n_shorts++] = '+';
	shorts[n_shorts++] = ':';
	for (int id = 0; id < N_OPTIONS; id++) {
		if (!(wanted >> id & 1))
			continue;
		const struct option_row *row = &option_rows[id];
		char letter = option_letter(call->command, id);

		longs[n_longs++] = (struct option){row->name, row->argument ? required_argument : no_argument, NULL,
						   LONG_ONLY + id};
		if (letter)
			shorts[n_shorts++] = letter;
		if (letter && row->argument)
			shorts[n_shorts++] = ':';
	}
	call->args = argv;
	call->n_args = argc;
	opterr = 0;
	optind = 0; /* GNU: begin anew */
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		int id = found - LONG_ONLY;

		if (found == '?' || found == ':')
			return refuse(call, found, argv);
		for (int i = 0; found < LONG_ONLY && i < N_OPTIONS; i++) {
			if (wanted >> i & 1 && option_letter(call->command, i) == found)
				id = i;
		}
		if (option_rows[id].set(call, &option_rows[id], optarg) != 0)
			return EXIT_USAGE;
	}
	call->args = argv + optind;
	call->n_args = argc - optind;
	return 0;
}
