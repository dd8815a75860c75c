/* Contexts: daemons by name, with what it takes to log in there, from config.yaml in the user's directory of millrace
 * ($XDG_CONFIG_HOME/millrace, else ~/.config/millrace). Which of them is chosen stands beside it, in a file `context`.
 */
#ifndef MILLRACE_CLI_COMMON_CONTEXTS_H
#define MILLRACE_CLI_COMMON_CONTEXTS_H

#include "client/cli/common/command.h"

enum { CONTEXTS_NAME_BYTES = 64 };

struct context {
	char *name;
	char *url;
	char *token;           /* in the file itself; NULL: it is not */
	char *token_file;      /* NULL: none. Paths are absolute by now, as they are meant from the file's directory */
	char *ca, *cert, *key; /* NULL: not given */
};

struct contexts {
	const struct call *call; /* which is told of mistakes */
	char *directory;         /* NULL: there is none that could have the files */
	char *path;              /* of config.yaml */
	char *choice;            /* path of the file that says which is chosen */
	struct context *list;
	size_t n;
	char chosen[CONTEXTS_NAME_BYTES + 1]; /* "" : none */
};

/* Reads both files; that there are none is no error. EXIT_OK; or EXIT_ERROR, and told where the mistake is.
 * contexts_finish() whatever it is. */
int contexts_read(struct contexts *contexts, const struct call *call);
void contexts_finish(struct contexts *contexts);

/* The context of this name, or NULL, and told that there is none, and which was perhaps meant. */
const struct context *contexts_find(const struct contexts *contexts, const char *name);

/* The context's token into token[size]; "" if it has none. EXIT_OK; or EXIT_ERROR, and told: it cannot be read, or
 * others can read it too. */
int contexts_token(const struct contexts *contexts, const struct context *context, char *token, size_t size);

/* Writes down which is chosen, or with NULL that none is. EXIT_OK; or EXIT_ERROR, and told. */
int contexts_choose(const struct contexts *contexts, const char *name);

#endif
