#include "client/cli/common/listing.h"

#include "client/cli/common/session.h"

int listing_run(const struct call *call, mr *m)
{
	const struct listing *listing = call->command->listing;
	const char *of = call->n_args ? call->args[0] : NULL, *channel = listing->is_of_channel ? of : NULL;
	json_t *rows = NULL;
	int status = listing->fetch(m, of, &rows);
	int code = session_report(call, m, channel, status, NULL);

	if (status == MR_OK)
		code = table_print(call, listing->columns, rows);
	json_decref(rows);
	return code;
}
