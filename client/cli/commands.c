/* The list of commands, in the order in which help lists them. */
#include "client/cli/commands.h"

const struct command *const commands[] = {
	&put_command,   &take_command,    &alts_command,       &create_command, &alter_command,
	&ack_command,   &nack_command,    &extend_command,     &close_command,  &delete_command,
	&move_command,  &ls_command,      &stat_command,       &peek_command,   &tap_command,
	&untap_command, &taps_command,    &waiters_command,    &leases_command, &cluster_command,
	&top_command,   &ping_command,    &bench_command,      &work_command,   &request_command,
	&serve_command, &context_command, &completion_command, &token_command,  &help_command,
	NULL,
};
