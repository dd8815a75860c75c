#define _GNU_SOURCE /* setresuid */
#include "daemon/access/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int privileges_become(const char *account, char error[PRIVILEGES_ERROR_BYTES])
{
	errno = 0;
	const struct passwd *entry = getpwnam(account);
	if (!entry) {
		snprintf(error, PRIVILEGES_ERROR_BYTES, "user: there is no account \"%.128s\"", account);
		return -1;
	}
	if (geteuid() == entry->pw_uid && getuid() == entry->pw_uid)
		return 0;
	if (initgroups(account, entry->pw_gid) < 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0) {
		snprintf(error, PRIVILEGES_ERROR_BYTES, "user: cannot become \"%.128s\": %s", account, strerror(errno));
		return -1;
	}
	return 0;
}

void privileges_allow_dumps(bool allow)
{
	prctl(PR_SET_DUMPABLE, allow ? 1 : 0, 0, 0, 0);
}
