#include "client/cli/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/report.h"
#include "client/cli/suggest.h"
#include "proto/name.h"

enum { TOKEN_ROOM = 4096 };

int session_check_channel(const struct call *call, const char *channel)
{
	if (name_is_valid(slice_from(channel)))
		return EXIT_OK;
	return report_usage(call,
			    "'%s' is not a channel's name: these are 1 to %d characters of A-Z a-z 0-9 . _ : { } -, "
			    "the first not . or -",
			    channel, NAME_MAX_BYTES);
}

/* The token of the environment, or of the file that it names: into `room`. NULL: there is none. EXIT_OK, or the mistake
 * told. */
static int read_token(const struct call *call, char room[TOKEN_ROOM], const char **token)
{
	const char *path = getenv("MILLRACE_TOKEN_FILE");
	FILE *file;

	*token = getenv("MILLRACE_TOKEN");
	if (*token || !path || !*path)
		return EXIT_OK;
	file = fopen(path, "re");
	if (!file || !fgets(room, TOKEN_ROOM, file)) {
		report(call, path, "the token cannot be read: %s",
		       file && !ferror(file) ? "there is none" : strerror(errno));
		if (file)
			fclose(file);
		return EXIT_ERROR;
	}
	fclose(file);
	room[strcspn(room, "\r\n")] = '\0';
	*token = room;
	return EXIT_OK;
}

static const char *or_environment(const char *given, const char *name)
{
	const char *other = getenv(name);

	return given ? given : other && *other ? other : NULL;
}

int session_open(const struct call *call, mr **m)
{
	char name[64], room[TOKEN_ROOM];
	struct mr_options options = {
		.name = name,
		.connect_timeout_ms = call->connect_timeout_ms,
		.reconnect = call->command->options & OPTION_BIT(OPTION_NO_RECONNECT) && !call->no_reconnect,
		.tls = {.ca = or_environment(call->ca, "MILLRACE_CA"),
			.cert = or_environment(call->cert, "MILLRACE_CERT"),
			.key = or_environment(call->key, "MILLRACE_KEY"),
			.insecure_accept_any_certificate = call->insecure},
	};
	int status, code = read_token(call, room, &options.token);

	if (code != EXIT_OK)
		return code;
	snprintf(name, sizeof name, "millrace %s (%ld)", call->command->name, (long)getpid());
	status = mr_connect(m, call->url, &options);
	explicit_bzero(room, sizeof room);
	if (status == MR_OK)
		return EXIT_OK;
	if (status == MR_EARGUMENT)
		return report_usage(call, "%s", mr_message());
	code = report_status(call, NULL, status, status == MR_ECONNECT ? "; is millraced running there?" : NULL);
	return code == EXIT_DENIED ? code : EXIT_CONNECT;
}

int session_open_for(const struct call *call, const char *channel, mr **m)
{
	int code = session_check_channel(call, channel);

	return code == EXIT_OK ? session_open(call, m) : code;
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
	struct suggestion suggestion = {.wrong = channel ? channel : quoted};

	if (status != MR_ENO_SUCH_CHANNEL)
		return report_status(call, channel, status, more);
	find_quoted(mr_message(), quoted, sizeof quoted);
	report_describe(channel, status, text, sizeof text);
	consider_channels(m, &suggestion);
	report(call, channel, "%s%s%s", text, more ? more : "", suggest_text(&suggestion, hint, sizeof hint));
	return report_code(status);
}
