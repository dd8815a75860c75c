#include "config/cluster_config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "config/tls_config.h"
#include "proto/name.h"

enum {
	MAX_ENDPOINTS = 16,
	MAX_GROUPS = 10000,
	MAX_DAEMON_BYTES = 64,
	MAX_PREFIX_BYTES = 128,
	MIN_TTL_MS = 1000,
	MAX_TTL_MS = 600 * 1000,
};

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* -- Life -- */

int cluster_config_init(struct cluster_config *cluster)
{
	*cluster = (struct cluster_config){.ttl_ms = 3000, .prefix = strdup("/millrace")};
	return cluster->prefix ? 0 : -1;
}

static void drop_endpoints(struct cluster_config *cluster)
{
	for (size_t i = 0; i < cluster->n_endpoints; i++)
		free(cluster->endpoints[i]);
	free(cluster->endpoints);
	cluster->endpoints = NULL;
	cluster->n_endpoints = 0;
}

static void drop_groups(struct cluster_config *cluster)
{
	for (size_t i = 0; i < cluster->n_groups; i++) {
		free(cluster->groups[i].name);
		free(cluster->groups[i].daemon);
	}
	free(cluster->groups);
	cluster->groups = NULL;
	cluster->n_groups = 0;
}

void cluster_config_finish(struct cluster_config *cluster)
{
	drop_endpoints(cluster);
	drop_groups(cluster);
	tls_settings_finish(&cluster->tls);
	free(cluster->name);
	free(cluster->prefix);
	free(cluster->advertise);
	free(cluster->advertise_http);
	free(cluster->user);
	free(cluster->password_file);
	*cluster = (struct cluster_config){.name = NULL};
}

static int add_endpoint(struct cluster_config *cluster, const char *url)
{
	char **endpoints = reallocarray(cluster->endpoints, cluster->n_endpoints + 1, sizeof(*endpoints));
	if (!endpoints)
		return -1;
	cluster->endpoints = endpoints;
	endpoints[cluster->n_endpoints] = strdup(url);
	return endpoints[cluster->n_endpoints] ? (cluster->n_endpoints++, 0) : -1;
}

static int add_group(struct cluster_config *cluster, const char *name, const char *daemon)
{
	struct config_group *groups = reallocarray(cluster->groups, cluster->n_groups + 1, sizeof(*groups));
	if (!groups)
		return -1;
	cluster->groups = groups;
	struct config_group group;
	int result = text_copy(&group.name, name) | text_copy(&group.daemon, daemon);
	groups[cluster->n_groups++] = group;
	return result;
}

int cluster_config_copy(struct cluster_config *to, const struct cluster_config *from)
{
	*to = (struct cluster_config){.is_there = from->is_there, .ttl_ms = from->ttl_ms};
	if (text_copy(&to->name, from->name) < 0 || text_copy(&to->prefix, from->prefix) < 0 ||
	    text_copy(&to->advertise, from->advertise) < 0 ||
	    text_copy(&to->advertise_http, from->advertise_http) < 0 || text_copy(&to->user, from->user) < 0 ||
	    text_copy(&to->password_file, from->password_file) < 0 || tls_settings_copy(&to->tls, &from->tls) < 0)
		return -1;
	for (size_t i = 0; i < from->n_endpoints; i++)
		if (add_endpoint(to, from->endpoints[i]) < 0)
			return -1;
	for (size_t i = 0; i < from->n_groups; i++)
		if (add_group(to, from->groups[i].name, from->groups[i].daemon) < 0)
			return -1;
	return 0;
}

static bool same_text(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

static bool same_lists(const struct cluster_config *one, const struct cluster_config *other)
{
	bool is_same = one->n_endpoints == other->n_endpoints && one->n_groups == other->n_groups;
	for (size_t i = 0; is_same && i < one->n_endpoints; i++)
		is_same = same_text(one->endpoints[i], other->endpoints[i]);
	for (size_t i = 0; is_same && i < one->n_groups; i++)
		is_same = same_text(one->groups[i].name, other->groups[i].name) &&
			  same_text(one->groups[i].daemon, other->groups[i].daemon);
	return is_same;
}

bool cluster_config_equal(const struct cluster_config *one, const struct cluster_config *other)
{
	return one->is_there == other->is_there && one->ttl_ms == other->ttl_ms && same_text(one->name, other->name) &&
	       same_text(one->prefix, other->prefix) && same_text(one->advertise, other->advertise) &&
	       same_text(one->advertise_http, other->advertise_http) && same_text(one->tls.ca, other->tls.ca) &&
	       same_text(one->tls.cert, other->tls.cert) && same_text(one->tls.key, other->tls.key) &&
	       same_text(one->user, other->user) && same_text(one->password_file, other->password_file) &&
	       same_lists(one, other);
}

/* -- Reading -- */

static const char *read_daemon(struct yaml_reader *reader, const yaml_node_t *node)
{
	const char *text = yaml_text(reader, node, "a daemon's name");
	if (!text)
		return NULL;
	if (text[0] && strlen(text) <= MAX_DAEMON_BYTES && !text[strspn(text, name_bytes)])
		return text;
	yaml_refuse(reader, node, "\"%.64s\" is not a daemon's name; expected 1 to %d of A-Z a-z 0-9 . _ -", text,
		    MAX_DAEMON_BYTES);
	return NULL;
}

static int read_name(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const char *text = read_daemon(reader, node);
	(void)arg;
	return text ? yaml_keep(reader, node, &((struct cluster_config *)into)->name, text, strlen(text)) : -1;
}

/* Whether it is a path of such steps, without a slash at its end. */
static bool is_prefix(const char *text, size_t len)
{
	if (text[0] != '/' || len < 2 || len > MAX_PREFIX_BYTES)
		return false;
	for (size_t i = 1; i < len; i++)
		if (text[i] == '/' ? text[i - 1] == '/' : !strchr(name_bytes, text[i]))
			return false;
	return true;
}

static int read_prefix(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const char *text = yaml_text(reader, node, "a prefix of keys");
	(void)arg;
	if (!text)
		return -1;
	size_t len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	if (!is_prefix(text, len))
		return yaml_refuse(reader, node,
				   "\"%.128s\" is not a prefix of keys; expected one such as /millrace, of A-Z a-z 0-9 "
				   ". _ - and /",
				   text);
	return yaml_keep(reader, node, &((struct cluster_config *)into)->prefix, text, len);
}

/* An address that others can use. `parse` says how it is written, which is as in `example`. */
static int check_url(struct yaml_reader *reader, const yaml_node_t *node, const char *url,
		     int (*parse)(struct address *, const char *, char[CONFIG_ERROR_BYTES]), const char *example)
{
	char why[CONFIG_ERROR_BYTES];
	struct address address;
	struct in6_addr zero = IN6ADDR_ANY_INIT, v6;
	if (parse(&address, url, why) < 0)
		return yaml_refuse(reader, node, "%s", why);
	bool is_anywhere = strcmp(address.host, "0.0.0.0") == 0 ||
			   (inet_pton(AF_INET6, address.host, &v6) == 1 && memcmp(&v6, &zero, sizeof(v6)) == 0);
	bool is_bad = address.scheme == ADDRESS_UNIX || address.port == 0 || is_anywhere || !strstr(url, "://") ||
		      address.host[strcspn(address.host, " ,@?#\"\\")];
	address_finish(&address);
	return is_bad ? yaml_refuse(reader, node,
				    "\"%.200s\" is not an address that others can ask; expected one such as %s", url,
				    example)
		      : 0;
}

static int read_advertise(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const char *url = yaml_text(reader, node, "an address");
	(void)arg;
	if (!url || check_url(reader, node, url, address_parse, "tcp://host:7223 or tls://host:7225") < 0)
		return -1;
	return yaml_keep(reader, node, &((struct cluster_config *)into)->advertise, url, strlen(url));
}

static int read_advertise_http(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const char *url = yaml_text(reader, node, "an address");
	(void)arg;
	if (!url || check_url(reader, node, url, address_parse_http, "http://host:7224 or https://host:7224") < 0)
		return -1;
	return yaml_keep(reader, node, &((struct cluster_config *)into)->advertise_http, url, strlen(url));
}

static int read_endpoint(struct yaml_reader *reader, const yaml_node_t *node, void *into)
{
	struct cluster_config *cluster = into;
	const char *url = yaml_text(reader, node, "an address of etcd");
	if (!url || check_url(reader, node, url, address_parse_http, "http://host:2379 or https://host:2379") < 0)
		return -1;
	for (size_t i = 0; i < cluster->n_endpoints; i++)
		if (strcmp(cluster->endpoints[i], url) == 0)
			return yaml_refuse(reader, node, "%s is there twice; expected it once", url);
	return add_endpoint(cluster, url) < 0 ? yaml_refuse(reader, node, "no memory") : 0;
}

static int read_endpoints(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	(void)arg;
	drop_endpoints(into);
	return yaml_list(reader, node, 1, MAX_ENDPOINTS, "addresses of etcd", read_endpoint, into);
}

static int read_ttl(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	uint64_t ttl_ms;
	(void)arg;
	if (yaml_number(reader, node, LIMIT_MS, MIN_TTL_MS, MAX_TTL_MS, &ttl_ms) < 0)
		return -1;
	if (ttl_ms % 1000 != 0)
		return yaml_refuse(reader, node, "%llu ms is not possible; expected whole seconds, such as 3s",
				   (unsigned long long)ttl_ms);
	((struct cluster_config *)into)->ttl_ms = ttl_ms;
	return 0;
}

/* The owner of one group, in the place of what was said of it before. */
static int read_group(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
		      struct cluster_config *cluster)
{
	if (!group_name_is_valid(slice_from(name)))
		return yaml_refuse(reader, node,
				   "\"%.64s\" is not a group's name; expected what channels have between their braces, "
				   "or default",
				   name);
	const char *daemon = read_daemon(reader, node);
	if (!daemon)
		return -1;
	for (size_t i = 0; i < cluster->n_groups; i++)
		if (strcmp(cluster->groups[i].name, name) == 0)
			return yaml_keep(reader, node, &cluster->groups[i].daemon, daemon, strlen(daemon));
	return add_group(cluster, name, daemon) < 0 ? yaml_refuse(reader, node, "no memory") : 0;
}

static int read_groups(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const yaml_node_pair_t *pairs;
	size_t n;
	(void)arg;
	drop_groups(into);
	if (yaml_pairs(reader, node, "groups", &pairs, &n) < 0)
		return -1;
	if (n > MAX_GROUPS)
		return yaml_refuse(reader, node, "%zu groups; expected at most %d", n, MAX_GROUPS);
	for (size_t i = 0; i < n; i++) {
		const char *name = yaml_text(reader, yaml_node(reader, pairs[i].key), "a group's name");
		if (!name || read_group(reader, yaml_node(reader, pairs[i].value), name, into) < 0)
			return -1;
		if (((struct cluster_config *)into)->n_groups != i + 1)
			return yaml_refuse(reader, yaml_node(reader, pairs[i].key),
					   "\"%.64s\" is there twice; expected it once", name);
	}
	return 0;
}

static const struct yaml_key tls_keys[] = {
	{"ca", yaml_read_text, &(const size_t){offsetof(struct cluster_config, tls.ca)}},
	{"cert", yaml_read_text, &(const size_t){offsetof(struct cluster_config, tls.cert)}},
	{"key", yaml_read_text, &(const size_t){offsetof(struct cluster_config, tls.key)}},
};

static int read_tls(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct cluster_config *cluster = into;
	(void)arg;
	tls_settings_finish(&cluster->tls);
	return yaml_mapping(reader, node, "tls", tls_keys, sizeof(tls_keys) / sizeof(tls_keys[0]), cluster);
}

static const struct yaml_key keys[] = {
	{"name", read_name, NULL},
	{"endpoints", read_endpoints, NULL},
	{"prefix", read_prefix, NULL},
	{"advertise", read_advertise, NULL},
	{"advertise_http", read_advertise_http, NULL},
	{"ttl_ms", read_ttl, NULL},
	{"groups", read_groups, NULL},
	{"tls", read_tls, NULL},
	{"user", yaml_read_text, &(const size_t){offsetof(struct cluster_config, user)}},
	{"password_file", yaml_read_text, &(const size_t){offsetof(struct cluster_config, password_file)}},
};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

int cluster_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	config->cluster.is_there = true;
	return yaml_mapping(reader, node, "cluster", keys, N_KEYS, &config->cluster);
}

int cluster_config_set(struct yaml_reader *reader, const yaml_node_t *node, const char *member, struct config *config)
{
	static const char groups[] = "groups.";
	config->cluster.is_there = true;
	if (strncmp(member, groups, strlen(groups)) == 0)
		return read_group(reader, node, member + strlen(groups), &config->cluster);
	return yaml_set_key(reader, node, member, keys, N_KEYS, &config->cluster);
}

/* -- The whole -- */

/* What the section lacks, or what in it does not go together; NULL: nothing. */
static const char *fault_of(const struct config *config)
{
	const struct cluster_config *cluster = &config->cluster;
	const struct tls_settings *tls = &cluster->tls;
	size_t n_https = 0;
	for (size_t i = 0; i < cluster->n_endpoints; i++)
		n_https += strncmp(cluster->endpoints[i], "https:", 6) == 0;
	if (!cluster->name)
		return "this daemon has no name; expected `name: a`, another one for each daemon";
	if (cluster->n_endpoints == 0)
		return "there is no etcd; expected `endpoints: [http://host:2379, ...]`";
	if (!cluster->advertise)
		return "the others do not know where this daemon is; expected `advertise: tcp://host:7223`";
	if (n_https > 0 && n_https < cluster->n_endpoints)
		return "some endpoints are https and some are not; expected all or none";
	if (n_https == 0 && (tls->ca || tls->cert || tls->key))
		return "only https endpoints have certificates; expected https://HOST:PORT, or no tls";
	if (!tls->cert != !tls->key)
		return "a certificate and its key belong together; expected both in tls, or none";
	if (!cluster->user != !cluster->password_file)
		return "a user of etcd has a password; expected both user and password_file, or none";
	if (config->journal.path)
		return "there is a journal too, and in a cluster etcd keeps what is durable; expected one of the two";
	return NULL;
}

/* Whether two channels of the configuration are of one group, as who leads from one to the other needs. */
static int check_pair(const char *what, const char *from, const char *to, char error[CONFIG_ERROR_BYTES])
{
	if (slice_equal(channel_group(slice_from(from)), channel_group(slice_from(to))))
		return 0;
	snprintf(error, CONFIG_ERROR_BYTES,
		 "%s from \"%.128s\" to \"%.128s\" leads from one group of the cluster to another; expected both names "
		 "to have the same in braces, or none",
		 what, from, to);
	return -1;
}

int cluster_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	if (!config->cluster.is_there)
		return 0;
	const char *fault = fault_of(config);
	if (fault) {
		snprintf(error, CONFIG_ERROR_BYTES, "cluster: %s", fault);
		return -1;
	}
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct config_channel *channel = &config->channels[i];
		if (channel->dead_letter &&
		    check_pair("channels: dead letters", channel->name, channel->dead_letter, error) < 0)
			return -1;
	}
	for (size_t i = 0; i < config->n_taps; i++)
		if (check_pair("taps: a tap", config->taps[i].from, config->taps[i].to, error) < 0)
			return -1;
	return 0;
}
