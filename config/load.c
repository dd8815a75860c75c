/* The configuration from texts and files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config_private.h"
#include "config/keys.h"
#include "config/users_config.h"

enum { MAX_TEXT_BYTES = 4 * 1024 * 1024 };

typedef int parse_fn(struct yaml_reader *reader, const yaml_node_t *node, struct config *config);

/* The users in the text come to those that *config has. */
static int read_users(struct yaml_reader *reader, const yaml_node_t *node, struct config *config)
{
	static const struct yaml_key keys[] = {{"users", users_config_read, NULL}};
	return yaml_mapping(reader, node, "a file of users", keys, 1, config);
}

static int parse(struct config *config, const char *text, size_t len, const char *name, parse_fn *read,
		 char error[CONFIG_ERROR_BYTES])
{
	struct yaml_reader reader;
	int result = 0;
	if (len > MAX_TEXT_BYTES) {
		snprintf(error, CONFIG_ERROR_BYTES, "%.200s:1:1: the text is too long; expected at most 4 MiB", name);
		return -1;
	}
	if (yaml_reader_init(&reader, text, len, name, true, error) < 0)
		return -1;
	if (yaml_root(&reader))
		result = read(&reader, yaml_root(&reader), config);
	yaml_reader_finish(&reader);
	return result;
}

int config_parse(struct config *config, const char *text, size_t len, const char *name, char error[CONFIG_ERROR_BYTES])
{
	struct config fresh;
	if (config_init(&fresh) < 0)
		return config_refuse_memory(error);
	return config_commit(config, &fresh, parse(&fresh, text, len, name, keys_read, error));
}

/* -- Files -- */

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

static int parse_file(struct config *config, const char *path, parse_fn *read, char error[CONFIG_ERROR_BYTES])
{
	size_t len;
	bool is_open;
	char *text = read_file(path, &len, &is_open, error);
	if (!text)
		return -1;
	int result = parse(config, text, len, path, read, error);
	if (result == 0 && is_open && users_config_have_secrets(config))
		result = refuse_open(path, error);
	free(text);
	return result;
}

int config_load(struct config *config, const char *path, char error[CONFIG_ERROR_BYTES])
{
	struct config fresh;
	if (config_init(&fresh) < 0)
		return config_refuse_memory(error);
	return config_commit(config, &fresh, parse_file(&fresh, path, keys_read, error));
}

int config_load_users(struct config *config, char error[CONFIG_ERROR_BYTES])
{
	struct config changed;
	if (!config->users_file)
		return 0;
	if (config_copy(&changed, config) < 0)
		return config_refuse_memory(error);
	return config_commit(config, &changed, parse_file(&changed, config->users_file, read_users, error));
}
