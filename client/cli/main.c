/* millrace: channels from a shell. Finds the command that is asked for, and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/command.h"
#include "client/cli/common/help.h"
#include "client/cli/common/interrupt.h"
#include "client/cli/common/options.h"
#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/usage.h"
#include "client/millrace.h"

/* In the order in which help lists them. */
static const struct command *const commands[] = {
	&put_command,   &take_command,    &alts_command,       &create_command, &alter_command,
	&ack_command,   &nack_command,    &extend_command,     &close_command,  &delete_command,
	&move_command,  &ls_command,      &stat_command,       &peek_command,   &tap_command,
	&untap_command, &taps_command,    &waiters_command,    &leases_command, &cluster_command,
	&top_command,   &ping_command,    &bench_command,      &work_command,   &request_command,
	&serve_command, &context_command, &completion_command, &token_command,  &help_command,
	NULL,
};

/* Makes sure that descriptors 0, 1 and 2 are open, if only for errors: else a socket could become standard output. */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
	}
}

/* Standard output is written only when it is flushed: whoever reads it may have gone, quietly; another failure is told.
 */
static int end_output(const struct call *call, int code)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return code;
	report(call, NULL, "cannot write to standard output: %s", strerror(errno));
	return code ? code : EXIT_ERROR;
}

static int run(struct call *call, int argc, char **argv)
{
	if (options_parse(call, argc, argv) != 0)
		return EXIT_USAGE;
	if (call->wants_version) {
		printf("millrace %s\n", mr_version());
		return EXIT_OK;
	}
	if (!call->wants_help) {
		if (call->n_args == 0)
			return report_usage(call, "no command");
		call->command = help_find_command(call, call->args[0]);
		if (!call->command || options_parse(call, call->n_args, call->args) != 0)
			return EXIT_USAGE;
	}
	if (call->wants_help) {
		help_print(call);
		return EXIT_OK;
	}
	if (usage_check(call) != 0 || (call->command->check && call->command->check(call) != EXIT_OK))
		return EXIT_USAGE;
	return call->command->run ? call->command->run(call) : session_run(call);
}

int main(int argc, char **argv)
{
	struct call call = {.commands = commands,
			    .timeout_ms = MR_FOREVER,
			    .backoff_ms = MR_FOREVER,
			    .limit_ms = MR_FOREVER,
			    .lease_ms = MR_FOREVER};

	fill_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* else no command's exit status could be had */
	interrupt_obey_as_init();
	return end_output(&call, run(&call, argc, argv));
}
