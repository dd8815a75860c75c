/* millrace context: the daemons that have names, and which of them is chosen. No daemon is asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/common/contexts.h"
#include "client/cli/common/report.h"
#include "proto/suggest.h"
#include "client/cli/common/table.h"

/* The context that a command would use that names none itself. */
static const char *name_in_effect(const struct call *call, const struct contexts *contexts)
{
	const char *environment = getenv("MILLRACE_CONTEXT");

	if (call->context)
		return call->context;
	return environment && *environment ? environment : contexts->chosen;
}

static int list(const struct call *call, const struct contexts *contexts)
{
	static const struct column columns[] = {
		{"NAME", "name", false, 0}, {"URL", "url", false, 1}, {"CHOSEN", "chosen", false, 2}, {NULL}};
	const char *chosen = name_in_effect(call, contexts);
	json_t *rows = json_array();
	int code = EXIT_OK;

	for (size_t i = 0; i < contexts->n; i++) {
		const struct context *context = &contexts->list[i];

		json_array_append_new(rows, json_pack("{s:s, s:s, s:b}", "name", context->name, "url", context->url,
						      "chosen", strcmp(context->name, chosen) == 0));
	}
	if (!contexts->n && !call->quiet)
		report(call, NULL, "there are no contexts in %s",
		       contexts->path ? contexts->path : "~/.config/millrace/config.yaml");
	else
		code = table_print(call, columns, rows);
	json_decref(rows);
	return code;
}

static void print_member(const struct call *call, const char *name, const char *text)
{
	if (text)
		printf("%s%s%s\n", name, call->format == FORMAT_RAW ? "\t" : ": ", text);
}

/* All of a context, but never its token. */
static int show(const struct call *call, const struct contexts *contexts, const char *name)
{
	const struct context *context;
	json_t *row;
	int code;

	if (!*name)
		return report(call, NULL, "no context is chosen; `millrace context use NAME` chooses one");
	context = contexts_find(contexts, name);
	if (!context)
		return EXIT_ERROR;
	if (call->format == FORMAT_JSON) {
		row = json_pack("{s:s, s:s, s:b, s:s*, s:s*, s:s*, s:s*}", "name", context->name, "url", context->url,
				"has_token", context->token || context->token_file, "token_file", context->token_file,
				"ca", context->ca, "cert", context->cert, "key", context->key);
		code = table_print_object(call, row);
		json_decref(row);
		return code;
	}
	print_member(call, "name", context->name);
	print_member(call, "url", context->url);
	print_member(call, "token", context->token ? "in this file" : NULL);
	print_member(call, "token_file", context->token_file);
	print_member(call, "ca", context->ca);
	print_member(call, "cert", context->cert);
	print_member(call, "key", context->key);
	return EXIT_OK;
}

static int use(const struct call *call, const struct contexts *contexts, const char *name)
{
	const char *url = getenv("MILLRACE_URL");

	if ((name && !contexts_find(contexts, name)) || contexts_choose(contexts, name) != EXIT_OK)
		return EXIT_ERROR;
	if (url && *url && name && !call->quiet)
		report(call, NULL, "MILLRACE_URL is set here, and goes before the chosen context");
	return EXIT_OK;
}

static int run_action(const struct call *call, const struct contexts *contexts)
{
	const char *action = call->n_args > 0 ? call->args[0] : "list", *name = call->n_args > 1 ? call->args[1] : NULL;
	struct suggestion suggestion = {.wrong = action};
	char hint[SUGGEST_MAX_BYTES + 32];

	if (strcmp(action, "show") == 0)
		return show(call, contexts, name ? name : name_in_effect(call, contexts));
	if (strcmp(action, "use") == 0)
		return name ? use(call, contexts, name) : report_usage(call, "which one? context use NAME");
	if (name)
		return report_usage(call, "'%s' is one word too many", name);
	if (strcmp(action, "list") == 0)
		return list(call, contexts);
	if (strcmp(action, "none") == 0)
		return use(call, contexts, NULL);
	suggest_consider(&suggestion, "list");
	suggest_consider(&suggestion, "show");
	suggest_consider(&suggestion, "use");
	suggest_consider(&suggestion, "none");
	return report_usage(call, "there is no '%s' here%s; say list, show, use or none", action,
			    suggest_text(&suggestion, hint, sizeof hint));
}

static int run_context(const struct call *call)
{
	struct contexts contexts;
	int code = contexts_read(&contexts, call);

	if (code == EXIT_OK)
		code = run_action(call, &contexts);
	contexts_finish(&contexts);
	return code;
}

const struct command context_command = {
	.name = "context",
	.arguments = "[ACTION [NAME]]",
	.summary = "daemons by name: list, show and choose them",
	.description =
		"Contexts are daemons that have names. They stand in ~/.config/millrace/config.yaml (or below "
		"$XDG_CONFIG_HOME), which you write:\n"
		"  contexts:\n"
		"    local: {url: \"tcp://127.0.0.1:7223\"}\n"
		"    prod: {url: \"tls://mill.example\", token_file: prod.token, ca: ca.pem}\n"
		"A context has a url, and may have a token_file (or a token), ca, cert and key; paths are meant "
		"from that directory. A token that others may read is refused.\n\n"
		"ACTION is list (if left out), show, use or none: `context use NAME` chooses a context for all "
		"commands to come, `context none` chooses none, `context show` tells what NAME is, or the one in "
		"effect; a token is never shown. No daemon is asked.\n\n"
		"Where a command's daemon is, says the first of these that there is: --url, --context, "
		"$MILLRACE_CONTEXT, $MILLRACE_URL, the chosen context; else it is tcp://127.0.0.1:7223. What a "
		"context says of a token and of certificates goes before the environment, and options go before "
		"both.",
	.examples = "  millrace context\n"
		    "  millrace context use prod\n"
		    "  millrace -c local ls\n",
	.exits = EXIT_BIT(EXIT_OK) | EXIT_BIT(EXIT_ERROR) | EXIT_BIT(EXIT_USAGE),
	.run = run_context,
};
