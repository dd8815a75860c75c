#define _GNU_SOURCE /* setresuid */
#include "daemon/access/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int privileges_find(const char *account, uid_t *uid, gid_t *gid, char error[PRIVILEGES_ERROR_BYTES])
{
	const struct passwd *entry = getpwnam(account);
	if (!entry) {
		snprintf(error, PRIVILEGES_ERROR_BYTES, "user: there is no account \"%.128s\"", account);
		return -1;
	}
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return 0;
}

int privileges_become(const char *account, char error[PRIVILEGES_ERROR_BYTES])
{
	uid_t uid;
	gid_t gid;
	if (privileges_find(account, &uid, &gid, error) < 0)
		return -1;
	if (geteuid() == uid && getuid() == uid)
		return 0;
	if (initgroups(account, gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
		snprintf(error, PRIVILEGES_ERROR_BYTES, "user: cannot become \"%.128s\": %s", account, strerror(errno));
		return -1;
	}
	return 0;
}

void privileges_allow_dumps(bool allow)
{
	prctl(PR_SET_DUMPABLE, allow ? 1 : 0, 0, 0, 0);
}
