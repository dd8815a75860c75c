#include "client/cli/session.h"

#include <stdio.h>
#include <unistd.h>

#include "client/cli/report.h"
#include "proto/name.h"

int session_check_channel(const struct call *call, const char *channel)
{
	if (name_is_valid(slice_from(channel)))
		return EXIT_OK;
	return report_usage(call, "'%s' is not a channel's name: these are 1 to %d characters of A-Z a-z 0-9 . _ : { } -, the first not . or -", channel,
			    NAME_MAX_BYTES);
}

int session_open(const struct call *call, mr **m)
{
	char name[64];
	struct mr_options options = {.name = name};
	int status, code;

	snprintf(name, sizeof name, "millrace %s (%ld)", call->command->name, (long)getpid());
	status = mr_connect(m, call->url, &options);
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
