#include "client/cli/listing.h"

#include "client/cli/report.h"
#include "client/cli/session.h"

int listing_print(const struct call *call, const struct column *columns, const json_t *rows)
{
	size_t n = 0;

	while (n < LISTING_MOST_COLUMNS && columns[n].title)
		n++;
	if (table_print(call, columns, n, rows) == 0)
		return EXIT_OK;
	report(call, NULL, "out of memory");
	return EXIT_ERROR;
}

int listing_run(const struct call *call, mr *m)
{
	const struct listing *listing = call->command->listing;
	const char *of = call->n_args ? call->args[0] : NULL, *channel = listing->is_of_channel ? of : NULL;
	json_t *rows = NULL;
	int status = listing->fetch(m, of, &rows);
	int code = session_report(call, m, channel, status, NULL);

	if (status == MR_OK)
		code = listing_print(call, listing->columns, rows);
	json_decref(rows);
	return code;
}
