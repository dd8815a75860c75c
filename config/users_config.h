/* Users: how they are known, what they may do, and how much of it.
 *
 * A token is "mrt_", 32 hexadecimal digits of salt, "_" and 64 of secret, made by `millrace token`. What the
 * configuration has is "sha256:", the same salt, ":" and the SHA-256 of the whole token in 64 hexadecimal digits:
 * whoever reads that cannot log in with it, and the secret is random and long enough for a fast hash. */
#ifndef MILLRACE_CONFIG_USERS_CONFIG_H
#define MILLRACE_CONFIG_USERS_CONFIG_H

#include "config/config.h"
#include "config/yaml_reader.h"

void users_config_drop(struct config *config);
int users_config_copy(struct config *to,
		      const struct config *from); /* -1: no memory, and what is in *to is to be dropped */

/* Reads the mapping of names to users; `into` is a struct config, to which they are added. */
int users_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

/* Whether any user has a token: such a file is nothing for everybody's eyes. */
bool users_config_have_secrets(const struct config *config);

/* What two users cannot both have. -1, with the error. */
int users_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES]);

#endif
