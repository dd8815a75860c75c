/* Names of channels, and the groups that they belong to in a cluster. A name: 1 to 128 bytes of A-Z a-z 0-9 . _ : { }
 * -, not beginning with '.' or '-'. Those that begin with
 * '_' are the daemon's own: they can be used, but not declared. Pure. */
#ifndef MILLRACE_PROTO_NAME_H
#define MILLRACE_PROTO_NAME_H

#include "proto/slice.h"

enum { NAME_MAX_BYTES = 128, GROUP_MAX_BYTES = NAME_MAX_BYTES - 2 };

/* Whether it has the form of a name, the daemon's own names included. */
bool name_is_valid(struct slice name);

/* Whether it begins with '_': `create` and the configuration refuse it. */
bool name_is_reserved(struct slice name);

/* The group of a cluster that a channel of this name belongs to, a part of the name or "default": what the first pair
 * of braces holds, if there is one and it is not empty. All channels of a group are with one daemon. */
struct slice channel_group(struct slice name);

/* Whether a group can have this name: whether a channel's name could have it between braces. */
bool group_name_is_valid(struct slice group);

/* Whether the name matches the glob: '*' any run of bytes, '?' any one byte, '[abc]' '[a-z]' '[!a]' a set, '\' takes
 * the next byte as it is. Takes at most pattern × name steps whatever the pattern says. */
bool name_matches(struct slice name, struct slice glob);

/* Whether it may, as far as the last byte of both tells: that costs next to nothing. */
bool name_may_match(struct slice name, struct slice glob);

#endif
