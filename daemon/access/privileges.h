/* What the process may do, and what others may do to it. */
#ifndef MILLRACE_ACCESS_PRIVILEGES_H
#define MILLRACE_ACCESS_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

enum { PRIVILEGES_ERROR_BYTES = 256 };

/* Who that account is. -1, with `error`: there is none. */
int privileges_find(const char *account, uid_t *uid, gid_t *gid, char error[PRIVILEGES_ERROR_BYTES]);

/* Becomes that account, with its groups, for good. Only root can; who is that account already stays it. -1, with
 * `error` saying why. */
int privileges_become(const char *account, char error[PRIVILEGES_ERROR_BYTES]);

/* Whether core dumps of this process can be made, and debuggers of the same account can look into it: not while it has
 * secrets. */
void privileges_allow_dumps(bool allow);

#endif
