#include "config/keys.h"

#include <stdlib.h>
#include <string.h>

#include "config/channels_config.h"
#include "config/cluster_config.h"
#include "config/config_private.h"
#include "config/journal_config.h"
#include "config/observe.h"
#include "config/taps_config.h"
#include "config/tls_config.h"
#include "config/users_config.h"

int keys_add_listen(struct config *config, const struct address *address)
{
	struct address *listen = reallocarray(config->listen, config->n_listen + 1, sizeof(*listen));
	if (!listen)
		return -1;
	config->listen = listen;
	listen[config->n_listen++] = *address;
	return 0;
}

static int read_address(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	struct config *config = into;
	char why[CONFIG_ERROR_BYTES];
	struct address address;
	if (node->type == YAML_MAPPING_NODE) {
		if (tls_config_read_listener(reader, node, &address) < 0)
			return -1;
	} else {
		const char *url = yaml_text(reader, node, "an address");
		if (!url)
			return -1;
		if (address_parse(&address, url, why) < 0)
			return yaml_refuse(reader, node, "%s", why);
	}
	if (keys_add_listen(config, &address) < 0) {
		address_finish(&address);
		return yaml_refuse(reader, node, "no memory");
	}
	return 0;
}

static int read_listen(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	config_drop_listen(config);
	return yaml_list(reader, node, 1, MAX_LISTENERS, "addresses to listen on", read_address, config);
}

/* Takes the address over; one without a host: none is wanted. */
static void put_http(struct config *config, const struct address *address)
{
	address_finish(&config->http);
	config->http = *address;
	config->has_http = address->host != NULL;
	config->http_is_default = false;
}

int keys_set_http(struct config *config, const char *text, char error[CONFIG_ERROR_BYTES])
{
	struct address address = {.host = NULL};
	if (strcmp(text, "none") != 0 && address_parse_http(&address, text, error) < 0)
		return -1;
	put_http(config, &address);
	return 0;
}

static int read_http(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	char why[CONFIG_ERROR_BYTES];
	struct address address;
	(void)arg;
	if (node->type == YAML_MAPPING_NODE) {
		if (tls_config_read_http(reader, node, &address) < 0)
			return -1;
		put_http(into, &address);
		return 0;
	}
	const char *text = yaml_text(reader, node, "HOST:PORT, https://HOST:PORT or none");
	if (!text)
		return -1;
	return keys_set_http(into, text, why) < 0 ? yaml_refuse(reader, node, "%s, or none", why) : 0;
}

static int read_insecure(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	return yaml_bool(reader, node, &config->insecure);
}

static int read_spin_us(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	uint64_t number;
	(void)arg;
	if (yaml_number(reader, node, LIMIT_COUNT, 0, MAX_SPIN_US, &number) < 0)
		return -1;
	config->spin_us = (uint32_t)number;
	return 0;
}

static int read_own_users(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	users_config_drop(into);
	return users_config_read(reader, node, arg, into);
}

struct limit_row {
	size_t offset; /* in struct limits */
	enum limit_unit unit;
	uint64_t lowest, highest;
};

static int read_limit(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const struct limit_row *row = arg;
	uint64_t *field = (uint64_t *)((char *)into + row->offset);
	return yaml_number(reader, node, row->unit, row->lowest, row->highest, field);
}

static const struct yaml_key limit_keys[] = {
#define LIMIT(field, unit, fallback, lowest, highest)                                                                  \
	{#field, read_limit, &(const struct limit_row){offsetof(struct limits, field), LIMIT_##unit, lowest, highest}},
	LIMITS(LIMIT)
#undef LIMIT
};

enum { N_LIMIT_KEYS = sizeof(limit_keys) / sizeof(limit_keys[0]) };

static int read_limits(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	return yaml_mapping(reader, node, "limits", limit_keys, N_LIMIT_KEYS, &config->limits);
}

static const struct yaml_key keys[] = {
	{"listen", read_listen, NULL},
	{"http", read_http, NULL},
	{"insecure", read_insecure, NULL},
	{"http_hosts", observe_read_hosts, NULL},
	{"log", observe_read_log, NULL},
	{"log_level", observe_read_log_level, NULL},
	{"spin_us", read_spin_us, NULL},
	{"limits", read_limits, NULL},
	{"journal", journal_config_read, NULL},
	{"cluster", cluster_config_read, NULL},
	{"channels", channels_config_read, NULL},
	{"taps", taps_config_read, NULL},
	{"tls", tls_config_read, NULL},
	{"users", read_own_users, NULL},
	{"user", yaml_read_text, &(const size_t){offsetof(struct config, user)}},
	{"users_file", yaml_read_text, &(const size_t){offsetof(struct config, users_file)}},
};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

int keys_read(struct yaml_reader *reader, const yaml_node_t *node, struct config *config)
{
	return yaml_mapping(reader, node, "a configuration", keys, N_KEYS, config);
}

/* "channels.NAME" or "channels.NAME.MEMBER", where a name may have dots: what is no mapping is a member. `path` is
 * behind "channels." */
static int set_channel(struct yaml_reader *reader, const yaml_node_t *node, char *path, struct config *config)
{
	char *dot = strrchr(path, '.');
	if (node->type == YAML_MAPPING_NODE || !dot)
		return channels_config_set(reader, node, path, config);
	*dot = '\0';
	return channels_config_set_member(reader, node, path, dot + 1, config);
}

int keys_set(struct yaml_reader *reader, const yaml_node_t *node, char *path, struct config *config)
{
	static const char limits[] = "limits.", channels[] = "channels.", journal[] = "journal.",
			  cluster[] = "cluster.";
	if (strncmp(path, channels, strlen(channels)) == 0)
		return set_channel(reader, node, path + strlen(channels), config);
	if (strncmp(path, limits, strlen(limits)) == 0)
		return yaml_set_key(reader, node, path + strlen(limits), limit_keys, N_LIMIT_KEYS, &config->limits);
	if (strncmp(path, journal, strlen(journal)) == 0)
		return journal_config_set(reader, node, path + strlen(journal), config);
	if (strncmp(path, cluster, strlen(cluster)) == 0)
		return cluster_config_set(reader, node, path + strlen(cluster), config);
	return yaml_set_key(reader, node, path, keys, N_KEYS, config);
}
