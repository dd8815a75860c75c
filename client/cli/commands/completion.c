/* millrace completion: scripts that make a shell complete our words. What they know comes from the tables of commands
 * and options; what a word can be is read from the name that its command's usage has for it. Channels they ask of the
 * daemon, for a second at most, and say nothing if it is not there. */
#include <stdio.h>
#include <string.h>

#include "client/cli/common/option_table.h"
#include "client/cli/common/report.h"
#include "client/cli/common/usage.h"

/* What a word of the usage can be, if that is one of a few; else NULL. */
static const char *choices_of(const char *word)
{
	static const struct {
		const char *word, *choices;
	} few[] = {{"KIND", "unbuffered bounded dropping sliding promise"},
		   {"SHELL", "bash zsh"},
		   {"ACTION", "list show use none"},
		   {"move", "move"}};

	for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
		if (strcmp(word, few[i].word) == 0)
			return few[i].choices;
	}
	return NULL;
}

/* Whether names of channels complete it: the beginning of a glob, too. */
static bool completes_channels(const char *word)
{
	return usage_is_channel(word) || strcmp(word, "GLOB") == 0;
}

/* -- bash -- */

static const char bash_head[] =
	"# bash completion of millrace; `millrace completion bash` prints it\n"
	"\n"
	"# What is at a place: the options of a command, what an option's word is, what a command's n-th word is.\n"
	"_millrace_table() {\n"
	"\tcase $1 in\n";

static const char bash_tail[] =
	"\tesac\n"
	"}\n"
	"\n"
	"_millrace() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} words word cur command= option= place=1 ended= url=() kind choices=\n"
	"\tread -ra words <<<\"$line\"\n"
	"\t[[ $line == *[[:space:]] ]] && words+=('')\n"
	"\tcur=${words[-1]}\n"
	"\tfor word in \"${words[@]:1:${#words[@]}-2}\"; do\n"
	"\t\tif [[ $option ]]; then\n"
	"\t\t\t[[ $option == -u || $option == --url ]] && url=(--url \"$word\")\n"
	"\t\t\toption=\n"
	"\t\telif [[ $word == -- ]]; then\n"
	"\t\t\tended=1\n"
	"\t\telif [[ ! $ended && $word == -* ]]; then\n"
	"\t\t\t[[ $(_millrace_table \"option $command $word\") ]] && option=$word\n"
	"\t\telif [[ ! $command ]]; then\n"
	"\t\t\tcommand=$word\n"
	"\t\telse\n"
	"\t\t\t((place++))\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [[ $option ]]; then\n"
	"\t\tkind=$(_millrace_table \"option $command $option\")\n"
	"\telif [[ ! $ended && $cur == -* ]]; then\n"
	"\t\tkind='WORDS '$(_millrace_table \"options $command\")\n"
	"\telif [[ ! $command ]]; then\n"
	"\t\tkind=$(_millrace_table commands)\n"
	"\telse\n"
	"\t\tkind=$(_millrace_table \"word $command $place\")\n"
	"\t\t[[ $kind ]] || kind=$(_millrace_table \"word $command rest\")\n"
	"\tfi\n"
	"\tCOMPREPLY=()\n"
	"\tcase $kind in\n"
	"\tWORDS*) choices=${kind#WORDS } choices=${choices// /$'\\n'} ;;\n"
	"\tCHANNEL*)\n"
	"\t\tchoices=$(timeout 1 \"${COMP_WORDS[0]}\" \"${url[@]}\" ls -o raw -- \"$cur*\" 2>/dev/null | cut -f1)\n"
	"\t\t;;\n"
	"\tNAME) choices=$(\"${COMP_WORDS[0]}\" context list -q -o raw 2>/dev/null | cut -f1) ;;\n"
	"\tCOMMAND) choices=$(compgen -c -- \"$cur\") ;;\n"
	"\tARGUMENT) compopt -o default 2>/dev/null ;;\n"
	"\tesac\n"
	"\twhile IFS= read -r word; do # to readline a word begins behind its last colon\n"
	"\t\t[[ $word && $word == \"$cur\"* ]] && COMPREPLY+=(\"${word#\"${cur%\"${cur##*:}\"}\"}\")\n"
	"\tdone <<<\"$choices\"\n"
	"}\n"
	"complete -F _millrace millrace\n";

/* Prints the end of a row: what the place takes. */
static void bash_kind(const char *word, const char *choices)
{
	if (choices)
		printf(") echo 'WORDS %s' ;;\n", choices);
	else
		printf(") echo '%s' ;;\n", completes_channels(word) ? "CHANNEL" : word);
}

static void bash_options(const struct command *command)
{
	uint64_t ids = options_of(command);

	printf("\t'options %s') echo '", command ? command->name : "");
	for (int id = 0; id < N_OPTIONS; id++) {
		const struct option_row *row = &option_rows[id];

		if (!(ids >> id & 1))
			continue;
		if (option_letter(command, id))
			printf("-%c ", row->letter);
		printf("--%s ", row->name);
	}
	puts("' ;;");
	for (int id = 0; id < N_OPTIONS; id++) {
		const struct option_row *row = &option_rows[id];
		const char *name = command ? command->name : "";

		if (!(ids >> id & 1) || !row->argument)
			continue;
		fputs("\t", stdout);
		if (option_letter(command, id))
			printf("'option %s -%c' | ", name, row->letter);
		printf("'option %s --%s'", name, row->name);
		bash_kind(row->argument, row->choices);
	}
}

static void bash_words(const struct command *command)
{
	const char *at = command->arguments;
	struct usage_word word = {.name = ""};

	for (int place = 1; usage_next(&at, &word); place++) {
		if (word.repeats)
			printf("\t'word %s rest'", command->name);
		else
			printf("\t'word %s %d'", command->name, place);
		bash_kind(word.name, choices_of(word.name));
	}
}

static void print_bash(const struct command *const *list)
{
	fputs(bash_head, stdout);
	printf("\tcommands | 'word help 1') echo 'WORDS");
	for (const struct command *const *at = list; *at; at++)
		printf(" %s", (*at)->name);
	puts("' ;;");
	bash_options(NULL);
	for (const struct command *const *at = list; *at; at++) {
		bash_options(*at);
		if (*at != &help_command) /* its COMMAND is one of ours */
			bash_words(*at);
	}
	fputs(bash_tail, stdout);
}

/* -- zsh -- */

static const char zsh_head[] =
	"#compdef millrace\n"
	"# zsh completion of millrace; `millrace completion zsh` prints it\n"
	"\n"
	"_millrace_channels() {\n"
	"\tlocal -a names url\n"
	"\tlocal at=${_millrace_words[(I)(-u|--url)]}\n"
	"\t((at)) && url=(--url ${(Q)_millrace_words[at+1]})\n"
	"\tnames=(${(f)\"$(timeout 1 $_millrace_words[1] $url ls -o raw -- \"$PREFIX*\" 2>/dev/null | cut -f1)\"})\n"
	"\tcompadd -a names\n"
	"}\n"
	"\n"
	"_millrace_contexts() {\n"
	"\tlocal -a names\n"
	"\tnames=(${(f)\"$($_millrace_words[1] context list -q -o raw 2>/dev/null | cut -f1)\"})\n"
	"\tcompadd -a names\n"
	"}\n"
	"\n"
	"_millrace() {\n"
	"\tlocal context state state_descr line curcontext=$curcontext\n"
	"\tlocal -a _millrace_words=(\"${words[@]}\") its_commands\n"
	"\tlocal at=${words[(i)--]}\n"
	"\ttypeset -A opt_args\n";

static const char zsh_tail[] =
	"\t\tesac\n"
	"\t\t;;\n"
	"\tesac\n"
	"}\n"
	"if [[ $funcstack[1] = _millrace ]]; then _millrace \"$@\"; else compdef _millrace millrace; fi\n";

/* Text within single quotes; brackets, and with `colons` colons, lose their meaning. */
static void zsh_text(const char *text, bool colons)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (*text == '[' || *text == ']' || (colons && *text == ':'))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

/* ":WHAT:how to complete it" */
static void zsh_word(const char *word, const char *choices)
{
	printf(":%s:", word);
	if (choices)
		printf("(%s)", choices);
	else if (completes_channels(word))
		fputs("_millrace_channels", stdout);
	else if (strcmp(word, "NAME") == 0)
		fputs("_millrace_contexts", stdout);
	else if (strcmp(word, "COMMAND") == 0)
		fputs("_command_names -e", stdout);
	else if (strcmp(word, "ARGUMENT") == 0)
		fputs("_files", stdout);
}

/* An argument of "CHANNEL VALUE" is two words. */
static void zsh_option_words(const struct option_row *row)
{
	const char *at = row->argument;
	struct usage_word word = {.name = ""};

	while (usage_next(&at, &word))
		zsh_word(word.name, row->choices);
}

static void zsh_options(const struct command *command)
{
	uint64_t ids = options_of(command);

	for (int id = 0; id < N_OPTIONS; id++) {
		const struct option_row *row = &option_rows[id];
		bool may_repeat = id == OPTION_TAKE || id == OPTION_PUT;

		if (!(ids >> id & 1))
			continue;
		if (option_letter(command, id))
			printf(" \\\n\t\t\t\t'(-%c --%s)'{-%c,--%s}'[", row->letter, row->name, row->letter, row->name);
		else
			printf(" \\\n\t\t\t\t'%s--%s[", may_repeat ? "*" : "", row->name);
		zsh_text(row->help, false);
		putchar(']');
		if (row->argument)
			zsh_option_words(row);
		putchar('\'');
	}
}

static void zsh_command(const struct command *command)
{
	const char *at = command->arguments;
	struct usage_word word = {.name = ""};

	printf("\t\t%s)\n\t\t\t_arguments -S", command->name);
	zsh_options(command);
	for (int place = 1; usage_next(&at, &word); place++) {
		if (word.repeats)
			printf(" \\\n\t\t\t\t'*");
		else
			printf(" \\\n\t\t\t\t'%d", place);
		zsh_word(word.name, choices_of(word.name));
		putchar('\'');
	}
	puts("\n\t\t\t;;");
}

static void print_zsh(const struct command *const *list)
{
	fputs(zsh_head, stdout);
	puts("\tits_commands=(");
	for (const struct command *const *at = list; *at; at++) {
		printf("\t\t'%s:", (*at)->name);
		zsh_text((*at)->summary, true);
		puts("'");
	}
	puts("\t)");
	fputs("\tif ((at < CURRENT)) && [[ -n ${(M)words[1,at]:#(",
	      stdout); /* behind -- of these are another command's words */
	for (const struct command *const *at = list; *at; at++) {
		if (strstr((*at)->arguments, "-- COMMAND"))
			printf("%s|", (*at)->name);
	}
	puts("-)} ]]; then\n\t\twords=(\"${(@)words[at+1,-1]}\")\n\t\t((CURRENT -= "
	     "at))\n\t\t_normal\n\t\treturn\n\tfi");
	printf("\t_arguments -C");
	zsh_options(NULL);
	puts(" \\\n\t\t\t\t':command:->command' '*::word:->words'");
	puts("\tcase $state in\n\tcommand) _describe command its_commands ;;\n\twords)\n\t\tcase $words[1] in");
	puts("\t\thelp) _describe command its_commands ;;");
	for (const struct command *const *at = list; *at; at++) {
		if (*at != &help_command)
			zsh_command(*at);
	}
	fputs(zsh_tail, stdout);
}

static int run_completion(const struct call *call)
{
	const char *shell = call->args[0];

	if (strcmp(shell, "bash") == 0)
		print_bash(call->commands);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(call->commands);
	else
		return report_usage(call, "there is no completion for '%s'; say bash or zsh", shell);
	return EXIT_OK;
}

const struct command completion_command = {
	.name = "completion",
	.arguments = "SHELL",
	.summary = "print what makes a shell complete millrace's words",
	.description = "Prints a script for SHELL, bash or zsh, that completes commands, options and the names of "
		       "channels, for which it asks the daemon. An installed millrace has it in place already.",
	.examples = "  eval \"$(millrace completion bash)\"    # in ~/.bashrc\n"
		    "\n"
		    "  # with ~/.zfunc in $fpath, before compinit\n"
		    "  millrace completion zsh > ~/.zfunc/_millrace\n",
	.exits = EXIT_BIT(EXIT_OK) | EXIT_BIT(EXIT_ERROR) | EXIT_BIT(EXIT_USAGE),
	.run = run_completion,
};
