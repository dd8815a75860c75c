#include "client/cli/listing.h"

#include "client/cli/report.h"
#include "client/cli/session.h"

int listing_end(const struct call *call, mr *m, const char *channel, int status, const struct column *columns,
		size_t n_columns, json_t *rows)
{
	int code = session_report(call, m, channel, status, NULL);

	if (status == MR_OK && table_print(call, columns, n_columns, rows) < 0) {
		report(call, NULL, "out of memory");
		code = EXIT_ERROR;
	}
	json_decref(rows);
	mr_destroy(m);
	return code;
}
