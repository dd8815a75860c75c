/* Names of channels: 1 to 128 bytes of A-Z a-z 0-9 . _ : { } -, not beginning with '.' or '-'. Those that begin with
 * '_' are the daemon's own: they can be used, but not declared. Pure. */
#ifndef MILLRACE_PROTO_NAME_H
#define MILLRACE_PROTO_NAME_H

#include "proto/slice.h"

enum { NAME_MAX_BYTES = 128 };

/* Whether it has the form of a name, the daemon's own names included. */
bool name_is_valid(struct slice name);

/* Whether it begins with '_': `create` and the configuration refuse it. */
bool name_is_reserved(struct slice name);

/* Whether the name matches the glob: '*' any run of bytes, '?' any one byte, '[abc]' '[a-z]' '[!a]' a set, '\' takes
 * the next byte as it is. Takes at most pattern × name steps whatever the pattern says. */
bool name_matches(struct slice name, struct slice glob);

#endif
