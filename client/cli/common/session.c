#include "client/cli/common/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/address.h"
#include "client/cli/common/contexts.h"
#include "client/cli/common/report.h"
#include "proto/suggest.h"
#include "proto/name.h"

enum { TOKEN_ROOM = 4096 };

/* Where to connect, and as whom: what the options say, else the context, else the environment. */
struct target {
	const char *url, *token, *ca, *cert, *key; /* NULL: nobody says */
	struct contexts contexts;
	char token_room[TOKEN_ROOM];
};

static void target_finish(struct target *target)
{
	explicit_bzero(target->token_room, sizeof target->token_room);
	contexts_finish(&target->contexts);
}

/* A variable that is set to something; or NULL. */
static const char *variable(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

/* The context that holds for this call: of its option or the environment, or else the chosen one. EXIT_OK, or the
 * mistake told. */
static int apply_context(const struct call *call, struct target *target)
{
	const char *name = call->context ? call->context : variable("MILLRACE_CONTEXT");
	const struct context *context;

	if (call->url || (!name && variable("MILLRACE_URL")))
		return EXIT_OK;
	if (contexts_read(&target->contexts, call) != EXIT_OK)
		return EXIT_ERROR;
	name = name ? name : target->contexts.chosen;
	if (!*name)
		return EXIT_OK;
	context = contexts_find(&target->contexts, name);
	if (!context ||
	    contexts_token(&target->contexts, context, target->token_room, sizeof target->token_room) != EXIT_OK)
		return EXIT_ERROR;
	target->url = context->url;
	target->token = *target->token_room ? target->token_room : NULL;
	target->ca = context->ca;
	target->cert = context->cert;
	target->key = context->key;
	return EXIT_OK;
}

/* The token of the environment, or of the file that it names. EXIT_OK, or the mistake told. */
static int read_token(const struct call *call, struct target *target)
{
	const char *path = variable("MILLRACE_TOKEN_FILE");
	FILE *file;

	if (target->token || (target->token = getenv("MILLRACE_TOKEN")) || !path)
		return EXIT_OK;
	file = fopen(path, "re");
	if (!file || !fgets(target->token_room, TOKEN_ROOM, file)) {
		report(call, path, "the token cannot be read: %s",
		       file && !ferror(file) ? "there is none" : strerror(errno));
		if (file)
			fclose(file);
		return EXIT_ERROR;
	}
	fclose(file);
	target->token_room[strcspn(target->token_room, "\r\n")] = '\0';
	target->token = target->token_room;
	return EXIT_OK;
}

static const char *first_of(const char *option, const char *context, const char *name)
{
	return option ? option : context ? context : variable(name);
}

static int find_target(const struct call *call, struct target *target)
{
	int code;

	*target = (struct target){.url = NULL};
	if (call->url && call->context)
		return report_usage(call, "--url and --context both say where the daemon is; give one of them");
	code = apply_context(call, target);
	if (code == EXIT_OK)
		code = read_token(call, target);
	target->url = first_of(call->url, target->url, "MILLRACE_URL");
	target->ca = first_of(call->ca, target->ca, "MILLRACE_CA");
	target->cert = first_of(call->cert, target->cert, "MILLRACE_CERT");
	target->key = first_of(call->key, target->key, "MILLRACE_KEY");
	return code;
}

/* Says why there is no connection: who answered instead, if anybody did, or what else there is to do. */
static int report_no_connection(const struct call *call, const struct target *target, int status)
{
	char text[768], advice[512] = "";
	int code = report_code(status);

	report_describe(NULL, status, text, sizeof text);
	if (status == MR_EUNAUTHENTICATED || status == MR_EDENIED || status == MR_EOVERLOADED)
		return report_status(call, NULL, status, NULL);
	if (target->url && !strstr(mr_message(), "certificate")) /* who shows a certificate is known to speak TLS */
		address_advice(target->url, mr_message(), advice, sizeof advice);
	if (*advice)
		report(call, NULL, "cannot connect to %s%s", target->url, advice);
	else
		report(call, NULL, "%s%s", text, status == MR_ECONNECT ? "; is millraced running there?" : "");
	return code == EXIT_DENIED ? code : EXIT_CONNECT;
}

static int connect_target(const struct call *call, const struct target *target, mr **m)
{
	char name[64];
	struct mr_options options = {
		.name = name,
		.token = target->token,
		.connect_timeout_ms = call->connect_timeout_ms,
		.reconnect = call->command->options & OPTION_BIT(OPTION_NO_RECONNECT) && !call->no_reconnect,
		.tls = {.ca = target->ca,
			.cert = target->cert,
			.key = target->key,
			.insecure_accept_any_certificate = call->insecure},
	};
	int status;

	snprintf(name, sizeof name, "millrace %s (%ld)", call->command->name, (long)getpid());
	status = mr_connect(m, target->url, &options);
	if (status == MR_OK)
		return EXIT_OK;
	if (status == MR_EARGUMENT)
		return report_usage(call, "%s", mr_message());
	return report_no_connection(call, target, status);
}

int session_open(const struct call *call, mr **m)
{
	struct target target;
	int code = find_target(call, &target);

	*m = NULL;
	if (code == EXIT_OK)
		code = connect_target(call, &target, m);
	target_finish(&target);
	return code;
}

int session_run(const struct call *call)
{
	mr *m;
	int code = session_open(call, &m);

	if (code == EXIT_OK)
		code = call->command->run_connected(call, m);
	mr_destroy(m);
	return code;
}

/* The nearest name of a channel, but for those that the daemon made up. */
static void consider_channels(mr *m, struct suggestion *suggestion)
{
	json_t *rows, *row;
	size_t i;

	if (mr_list(m, "[!_]*", &rows) != MR_OK)
		return;
	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "channel"));

		if (name)
			suggest_consider(suggestion, name);
	}
	json_decref(rows);
}

/* The name that a message quotes at its end, into name[size]; "" if it quotes none. */
static void find_quoted(const char *message, char *name, size_t size)
{
	const char *end = strrchr(message, '"'), *begin = end;

	while (begin && begin > message && begin[-1] != '"')
		begin--;
	if (!begin || begin == message)
		begin = end = "";
	snprintf(name, size, "%.*s", (int)(end - begin), begin);
}

int session_report(const struct call *call, mr *m, const char *channel, int status, const char *more)
{
	char text[768], hint[SUGGEST_MAX_BYTES + 32], quoted[NAME_MAX_BYTES + 1];
	struct suggestion suggestion = {.wrong = quoted};

	if (status != MR_ENO_SUCH_CHANNEL)
		return report_status(call, channel, status, more);
	find_quoted(mr_message(), quoted, sizeof quoted); /* of two channels, the one that is not there */
	if (!*quoted && channel)
		suggestion.wrong = channel;
	report_describe(channel, status, text, sizeof text);
	consider_channels(m, &suggestion);
	report(call, channel, "%s%s%s", text, more ? more : "", suggest_text(&suggestion, hint, sizeof hint));
	return report_code(status);
}
