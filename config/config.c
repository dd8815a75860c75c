/* The configuration as a whole. Every change is made to a copy, which takes the old one's place when all of it is good.
 */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/channels.h"
#include "config/cluster.h"
#include "config/taps.h"
#include "config/journal.h"
#include "config/observe.h"
#include "config/tls.h"
#include "config/users.h"
#include "config/yaml_reader.h"

enum { MAX_TEXT_BYTES = 4 * 1024 * 1024 };

static int refuse_memory(char error[CONFIG_ERROR_BYTES])
{
	snprintf(error, CONFIG_ERROR_BYTES, "no memory for the configuration");
	return -1;
}

/* -- Life -- */

int config_init(struct config *config)
{
	*config = (struct config){
		.listen = calloc(1, sizeof(struct address)),
		.n_listen = 1,
		.listen_is_default = true,
		.has_http = true,
		.http_is_default = true,
		.log_level = CONFIG_LOG_INFO,
		.http = {.host = strdup("127.0.0.1"), .port = 7224},
		.limits =
			{
#define LIMIT(field, unit, fallback, lowest, highest) .field = fallback,
				LIMITS(LIMIT)
#undef LIMIT
			},
	};
	journal_config_init(&config->journal);
	if (config->listen)
		config->listen[0] = (struct address){.scheme = ADDRESS_TCP, .host = strdup("127.0.0.1"), .port = 7223};
	if (cluster_config_init(&config->cluster) == 0 && config->listen && config->listen[0].host && config->http.host)
		return 0;
	config_finish(config);
	return -1;
}

static void drop_listen(struct config *config)
{
	for (size_t i = 0; config->listen && i < config->n_listen; i++)
		address_finish(&config->listen[i]);
	free(config->listen);
	config->listen = NULL;
	config->n_listen = 0;
	config->listen_is_default = false;
}

void config_finish(struct config *config)
{
	drop_listen(config);
	address_finish(&config->http);
	observe_drop_hosts(config);
	channels_drop(config);
	taps_drop(config);
	users_drop(config);
	tls_settings_finish(&config->tls);
	free(config->users_file);
	free(config->journal.path);
	cluster_config_finish(&config->cluster);
	free(config->user);
	*config = (struct config){.listen = NULL};
}

static int copy_address(struct address *to, const struct address *from)
{
	*to = *from;
	to->host = from->host ? strdup(from->host) : NULL;
	int result = tls_settings_copy(&to->tls, &from->tls);
	return from->host && !to->host ? -1 : result;
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -1 : 0;
}

static int copy(struct config *to, const struct config *from)
{
	*to = (struct config){
		.listen_is_default = from->listen_is_default,
		.has_http = from->has_http,
		.http_is_default = from->http_is_default,
		.insecure = from->insecure,
		.log_json = from->log_json,
		.log_level = from->log_level,
		.spin_us = from->spin_us,
		.limits = from->limits,
		.journal = from->journal,
		.listen = calloc(from->n_listen + 1, sizeof(*to->listen)),
		.channels = calloc(from->n_channels + 1, sizeof(*to->channels)),
		.taps = calloc(from->n_taps + 1, sizeof(*to->taps)),
	};
	to->journal.path = NULL;
	if (cluster_config_copy(&to->cluster, &from->cluster) < 0 ||
	    copy_text(&to->journal.path, from->journal.path) < 0 || copy_text(&to->users_file, from->users_file) < 0 ||
	    copy_text(&to->user, from->user) < 0 || tls_settings_copy(&to->tls, &from->tls) < 0 ||
	    users_copy(to, from) < 0)
		goto no_memory;
	if (!to->listen || !to->channels || !to->taps || copy_address(&to->http, &from->http) < 0 ||
	    observe_copy_hosts(to, from) < 0)
		goto no_memory;
	while (to->n_listen < from->n_listen) {
		int result = copy_address(&to->listen[to->n_listen], &from->listen[to->n_listen]);
		to->n_listen++;
		if (result < 0)
			goto no_memory;
	}
	for (; to->n_channels < from->n_channels; to->n_channels++) {
		if (channels_copy(&to->channels[to->n_channels], &from->channels[to->n_channels]) < 0)
			goto no_memory;
	}
	for (; to->n_taps < from->n_taps; to->n_taps++) {
		if (taps_copy(&to->taps[to->n_taps], &from->taps[to->n_taps]) < 0)
			goto no_memory;
	}
	return 0;
no_memory:
	config_finish(to);
	return -1;
}

/* Puts the changed copy in the place of the old one, or drops it. */
static int commit(struct config *config, struct config *changed, int result)
{
	if (result < 0) {
		config_finish(changed);
		return -1;
	}
	config_finish(config);
	*config = *changed;
	return 0;
}

/* -- Keys -- */

static int add_listen(struct config *config, const struct address *address)
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
		if (tls_read_listener(reader, node, &address) < 0)
			return -1;
	} else {
		const char *url = yaml_text(reader, node, "an address");
		if (!url)
			return -1;
		if (address_parse(&address, url, why) < 0)
			return yaml_refuse(reader, node, "%s", why);
	}
	if (add_listen(config, &address) < 0) {
		address_finish(&address);
		return yaml_refuse(reader, node, "no memory");
	}
	return 0;
}

static int read_listen(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	drop_listen(config);
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

static int set_http(struct config *config, const char *text, char error[CONFIG_ERROR_BYTES])
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
		if (tls_read_http(reader, node, &address) < 0)
			return -1;
		put_http(into, &address);
		return 0;
	}
	const char *text = yaml_text(reader, node, "HOST:PORT, https://HOST:PORT or none");
	if (!text)
		return -1;
	return set_http(into, text, why) < 0 ? yaml_refuse(reader, node, "%s, or none", why) : 0;
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

/* A text that is not empty; `arg` says which member of the configuration it is. */
static int read_text(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	char **field = (char **)((char *)into + *(const size_t *)arg);
	const char *text = yaml_text(reader, node, "a text");
	if (!text)
		return -1;
	if (text[0] == '\0')
		return yaml_refuse(reader, node, "there is nothing; expected a text");
	char *fresh = strdup(text);
	if (!fresh)
		return yaml_refuse(reader, node, "no memory");
	free(*field);
	*field = fresh;
	return 0;
}

static int read_own_users(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	users_drop(into);
	return users_read(reader, node, arg, into);
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
	{"channels", channels_read, NULL},
	{"taps", taps_read, NULL},
	{"tls", tls_read, NULL},
	{"users", read_own_users, NULL},
	{"user", read_text, &(const size_t){offsetof(struct config, user)}},
	{"users_file", read_text, &(const size_t){offsetof(struct config, users_file)}},
};

/* What a users_file has. */
static const struct yaml_key users_file_keys[] = {{"users", users_read, NULL}};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

/* -- Texts and files -- */

int config_parse(struct config *config, const char *text, size_t len, const char *name, char error[CONFIG_ERROR_BYTES])
{
	struct config fresh;
	struct yaml_reader reader;
	int result = 0;
	if (len > MAX_TEXT_BYTES) {
		snprintf(error, CONFIG_ERROR_BYTES, "%.200s:1:1: the text is too long; expected at most 4 MiB", name);
		return -1;
	}
	if (config_init(&fresh) < 0)
		return refuse_memory(error);
	if (yaml_reader_init(&reader, text, len, name, true, error) < 0)
		return commit(config, &fresh, -1);
	if (yaml_root(&reader))
		result = yaml_mapping(&reader, yaml_root(&reader), "a configuration", keys, N_KEYS, &fresh);
	yaml_reader_finish(&reader);
	return commit(config, &fresh, result);
}

static int refuse_file(const char *path, int reason, char error[CONFIG_ERROR_BYTES])
{
	snprintf(error, CONFIG_ERROR_BYTES, "%.200s: cannot be read: %s", path, strerror(reason));
	return -1;
}

static int refuse_open(const char *path, char error[CONFIG_ERROR_BYTES])
{
	snprintf(error, CONFIG_ERROR_BYTES,
		 "%.200s: everybody can read it, and it has users' tokens; expected chmod o-r, or the users in a "
		 "users_file of their own",
		 path);
	return -1;
}

/* The file as far as config_parse() may accept it, and a byte more. To be freed; NULL and the error. *is_open: whether
 * everybody can read it. */
static char *read_file(const char *path, size_t *len, bool *is_open, char error[CONFIG_ERROR_BYTES])
{
	struct stat status;
	char *text = malloc(MAX_TEXT_BYTES + 1);
	FILE *file = text ? fopen(path, "re") : NULL;
	if (!file || fstat(fileno(file), &status) < 0)
		goto failed;
	*is_open = status.st_mode & S_IROTH;
	*len = fread(text, 1, MAX_TEXT_BYTES + 1, file);
	if (ferror(file))
		goto failed;
	fclose(file);
	return text;
failed:
	refuse_file(path, errno, error);
	free(text);
	if (file)
		fclose(file);
	return NULL;
}

int config_load(struct config *config, const char *path, char error[CONFIG_ERROR_BYTES])
{
	size_t len;
	bool is_open;
	struct config fresh;
	char *text = read_file(path, &len, &is_open, error);
	if (!text)
		return -1;
	int result = -1;
	if (config_init(&fresh) < 0) {
		refuse_memory(error);
	} else {
		result = config_parse(&fresh, text, len, path, error);
		if (result == 0 && is_open && users_have_secrets(&fresh))
			result = refuse_open(path, error);
		result = commit(config, &fresh, result);
	}
	free(text);
	return result;
}

/* The users in the text come to those that *config has. */
static int parse_users(struct config *config, const char *text, size_t len, const char *path,
		       char error[CONFIG_ERROR_BYTES])
{
	struct yaml_reader reader;
	int result = 0;
	if (len > MAX_TEXT_BYTES) {
		snprintf(error, CONFIG_ERROR_BYTES, "%.200s:1:1: the text is too long; expected at most 4 MiB", path);
		return -1;
	}
	if (yaml_reader_init(&reader, text, len, path, true, error) < 0)
		return -1;
	if (yaml_root(&reader))
		result = yaml_mapping(&reader, yaml_root(&reader), "a file of users", users_file_keys, 1, config);
	yaml_reader_finish(&reader);
	return result;
}

int config_load_users(struct config *config, char error[CONFIG_ERROR_BYTES])
{
	struct config changed;
	size_t len;
	bool is_open;
	if (!config->users_file)
		return 0;
	char *text = read_file(config->users_file, &len, &is_open, error);
	if (!text)
		return -1;
	int result = -1;
	if (copy(&changed, config) < 0) {
		refuse_memory(error);
	} else {
		result = parse_users(&changed, text, len, config->users_file, error);
		if (result == 0 && is_open && users_have_secrets(&changed))
			result = refuse_open(config->users_file, error);
		result = commit(config, &changed, result);
	}
	free(text);
	return result;
}

/* -- The command line -- */

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
	if (add_listen(config, &address) < 0) {
		address_finish(&address);
		return refuse_memory(error);
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
	if (set_http(config, address, why) == 0)
		return 0;
	snprintf(error, CONFIG_ERROR_BYTES, "--http: %.480s, or none", why);
	return -1;
}

/* "channels.NAME" or "channels.NAME.MEMBER", where a name may have dots: what is no mapping is a member. `path` is
 * behind "channels." */
static int set_channel(struct yaml_reader *reader, const yaml_node_t *node, char *path, struct config *config)
{
	char *dot = strrchr(path, '.');
	if (node->type == YAML_MAPPING_NODE || !dot)
		return channels_set(reader, node, path, config);
	*dot = '\0';
	return channels_set_member(reader, node, path, dot + 1, config);
}

static int set_path(struct yaml_reader *reader, const yaml_node_t *node, char *path, struct config *config)
{
	static const char limits[] = "limits.", channels[] = "channels.", journal[] = "journal.",
			  cluster[] = "cluster.";
	const struct yaml_key *key;
	if (strncmp(path, channels, strlen(channels)) == 0)
		return set_channel(reader, node, path + strlen(channels), config);
	if (strncmp(path, limits, strlen(limits)) == 0) {
		key = yaml_find_key(reader, node, path + strlen(limits), limit_keys, N_LIMIT_KEYS);
		return key ? key->read(reader, node, key->arg, &config->limits) : -1;
	}
	if (strncmp(path, journal, strlen(journal)) == 0)
		return journal_config_set(reader, node, path + strlen(journal), config);
	if (strncmp(path, cluster, strlen(cluster)) == 0)
		return cluster_config_set(reader, node, path + strlen(cluster), config);
	key = yaml_find_key(reader, node, path, keys, N_KEYS);
	return key ? key->read(reader, node, key->arg, config) : -1;
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
	if (copy(&changed, config) < 0) {
		refuse_memory(error);
	} else {
		const yaml_node_t *root = yaml_root(&reader);
		if (root)
			result = set_path(&reader, root, path, &changed);
		else
			snprintf(error, CONFIG_ERROR_BYTES, "%s: expected a value behind the =", name);
		result = commit(config, &changed, result);
	}
	yaml_reader_finish(&reader);
	return result;
}

const char *config_library_version(void)
{
	return yaml_get_version_string();
}
