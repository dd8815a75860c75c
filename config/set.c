/* The configuration from the command line: an assignment of one key, and the options that stand for one. */
#include <stdio.h>
#include <string.h>

#include "config/config_private.h"
#include "config/keys.h"

int config_set_listen(struct config *config, const char *url, bool first, char error[CONFIG_ERROR_BYTES])
{
	struct address address;
	char why[CONFIG_ERROR_BYTES];
	if (!first && config->n_listen == MAX_LISTENERS) {
		snprintf(error, CONFIG_ERROR_BYTES, "--listen: more than %d addresses", MAX_LISTENERS);
		return -1;
	}
	if (address_parse(&address, url, why) < 0) {
		snprintf(error, CONFIG_ERROR_BYTES, "--listen: %.480s", why);
		return -1;
	}
	/* Added first, so that nothing is lost if it cannot be. */
	if (keys_add_listen(config, &address) < 0) {
		address_finish(&address);
		return config_refuse_memory(error);
	}
	config->listen_is_default = false;
	if (first) {
		struct address added = config->listen[--config->n_listen];
		for (size_t i = 0; i < config->n_listen; i++)
			address_finish(&config->listen[i]);
		config->listen[0] = added;
		config->n_listen = 1;
	}
	return 0;
}

int config_set_http(struct config *config, const char *address, char error[CONFIG_ERROR_BYTES])
{
	char why[CONFIG_ERROR_BYTES];
	if (keys_set_http(config, address, why) == 0)
		return 0;
	snprintf(error, CONFIG_ERROR_BYTES, "--http: %.480s, or none", why);
	return -1;
}

int config_set(struct config *config, const char *assignment, char error[CONFIG_ERROR_BYTES])
{
	char name[300];
	snprintf(name, sizeof(name), "--set %.200s", assignment);
	yaml_one_line(name);
	return config_set_from(config, name, assignment, error);
}

/* Whether it is an IPv6 address in brackets, perhaps with a port, which YAML would read as the beginning of a list. */
static bool is_bracketed_address(const char *text)
{
	size_t len = text[0] == '[' ? strspn(text + 1, "0123456789abcdefABCDEF:.") : 0;
	const char *rest = text + 1 + len;
	if (len < 2 || rest[0] != ']' || !memchr(text + 1, ':', len))
		return false;
	return rest[1] == '\0' || (rest[1] == ':' && rest[2] && rest[2 + strspn(rest + 2, "0123456789")] == '\0');
}

int config_set_from(struct config *config, const char *name, const char *assignment, char error[CONFIG_ERROR_BYTES])
{
	struct yaml_reader reader;
	struct config changed;
	char path[256];
	const char *equals = strchr(assignment, '=');
	if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof(path)) {
		snprintf(error, CONFIG_ERROR_BYTES, "%s: expected KEY=VALUE, such as limits.max_frame=2MiB", name);
		return -1;
	}
	memcpy(path, assignment, (size_t)(equals - assignment));
	path[equals - assignment] = '\0';
	char quoted[64];
	const char *value = equals + 1;
	if (is_bracketed_address(value) && strlen(value) + 3 <= sizeof(quoted)) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", value);
		value = quoted;
	}
	if (yaml_reader_init(&reader, value, strlen(value), name, false, error) < 0)
		return -1;
	int result = -1;
	if (config_copy(&changed, config) < 0) {
		config_refuse_memory(error);
	} else {
		const yaml_node_t *root = yaml_root(&reader);
		if (root)
			result = keys_set(&reader, root, path, &changed);
		else
			snprintf(error, CONFIG_ERROR_BYTES, "%s: expected a value behind the =", name);
		result = config_commit(config, &changed, result);
	}
	yaml_reader_finish(&reader);
	return result;
}
