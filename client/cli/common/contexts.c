#define _GNU_SOURCE /* asprintf */
#include "client/cli/common/contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "client/cli/common/report.h"
#include "proto/suggest.h"

/* -- Where the files are -- */

/* NULL without memory. */
static char *join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int find_directory(struct contexts *contexts)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (xdg && xdg[0] == '/')
		contexts->directory = join(xdg, "millrace");
	else if (home && home[0] == '/')
		contexts->directory = join(home, ".config/millrace");
	else
		return 0;
	if (contexts->directory) {
		contexts->path = join(contexts->directory, "config.yaml");
		contexts->choice = join(contexts->directory, "context");
	}
	return contexts->path && contexts->choice ? 0 : -1;
}

static void read_choice(struct contexts *contexts)
{
	FILE *file = fopen(contexts->choice, "re");

	if (!file)
		return;
	if (fgets(contexts->chosen, sizeof contexts->chosen, file))
		contexts->chosen[strcspn(contexts->chosen, "\r\n")] = '\0';
	fclose(file);
}

/* -- config.yaml -- */

struct reading {
	struct contexts *contexts;
	yaml_document_t document;
};

static int fail_at(const struct reading *reading, yaml_mark_t mark, const char *what, const char *name)
{
	return report(reading->contexts->call, NULL, "%s:%zu:%zu: %s%s%s", reading->contexts->path, mark.line + 1,
		      mark.column + 1, what, *name ? ": " : "", name);
}

static const char *text_of(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

/* A path as it is meant from the directory of the file; `~/` is the home. NULL without memory. */
static char *whole_path(const struct contexts *contexts, const char *path)
{
	const char *home = getenv("HOME");

	if (path[0] == '/')
		return strdup(path);
	if (strncmp(path, "~/", 2) == 0 && home)
		return join(home, path + 2);
	return join(contexts->directory, path);
}

static int read_member(struct reading *reading, struct context *context, const yaml_node_t *key,
		       const yaml_node_t *value)
{
	const struct {
		const char *name;
		char **place;
		int is_path;
	} members[] = {
		{"url", &context->url, 0}, {"token", &context->token, 0}, {"token_file", &context->token_file, 1},
		{"ca", &context->ca, 1},   {"cert", &context->cert, 1},   {"key", &context->key, 1}};
	struct suggestion suggestion = {.wrong = text_of(key)};
	char what[256], hint[SUGGEST_MAX_BYTES + 32];

	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		suggest_consider(&suggestion, members[i].name);
		if (strcmp(members[i].name, text_of(key)) != 0)
			continue;
		if (!*text_of(value))
			return fail_at(reading, value->start_mark, "this is to be a text", members[i].name);
		free(*members[i].place);
		*members[i].place =
			members[i].is_path ? whole_path(reading->contexts, text_of(value)) : strdup(text_of(value));
		return *members[i].place ? 0 : fail_at(reading, key->start_mark, "not enough memory", "");
	}
	snprintf(what, sizeof what, "a context has url, token or token_file, ca, cert and key; no '%.64s'%s",
		 text_of(key), suggest_text(&suggestion, hint, sizeof hint));
	return fail_at(reading, key->start_mark, what, "");
}

static int read_context(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
	struct contexts *contexts = reading->contexts;
	struct context *list = realloc(contexts->list, (contexts->n + 1) * sizeof *list), *context;

	if (!list)
		return fail_at(reading, key->start_mark, "not enough memory", "");
	contexts->list = list;
	context = &list[contexts->n++];
	*context = (struct context){.name = strdup(text_of(key))};
	if (!context->name)
		return fail_at(reading, key->start_mark, "not enough memory", "");
	if (!*context->name || strlen(context->name) > CONTEXTS_NAME_BYTES)
		return fail_at(reading, key->start_mark, "a context's name has 1 to 64 bytes", "");
	if (value->type != YAML_MAPPING_NODE)
		return fail_at(reading, value->start_mark,
			       "a context is a mapping, such as {url: \"tcp://127.0.0.1:7223\"}", context->name);
	for (yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < value->data.mapping.pairs.top; pair++) {
		if (read_member(reading, context, yaml_document_get_node(&reading->document, pair->key),
				yaml_document_get_node(&reading->document, pair->value)) != 0)
			return EXIT_ERROR;
	}
	if (!context->url)
		return fail_at(reading, key->start_mark, "this context has no url", context->name);
	if (context->token && context->token_file)
		return fail_at(reading, key->start_mark, "this context has a token and a token_file; one is enough",
			       context->name);
	return 0;
}

static int read_document(struct reading *reading)
{
	yaml_node_t *root = yaml_document_get_root_node(&reading->document);

	if (!root)
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(reading, root->start_mark, "expected `contexts:`", "");
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(&reading->document, pair->key);
		yaml_node_t *value = yaml_document_get_node(&reading->document, pair->value);

		if (strcmp(text_of(key), "contexts") != 0)
			return fail_at(reading, key->start_mark, "there is only `contexts:` here, and no",
				       text_of(key));
		if (value->type != YAML_MAPPING_NODE)
			return fail_at(reading, value->start_mark, "expected contexts by their names", "");
		for (yaml_node_pair_t *one = value->data.mapping.pairs.start; one < value->data.mapping.pairs.top;
		     one++) {
			if (read_context(reading, yaml_document_get_node(&reading->document, one->key),
					 yaml_document_get_node(&reading->document, one->value)) != 0)
				return EXIT_ERROR;
		}
	}
	return 0;
}

static int read_file(struct contexts *contexts, FILE *file)
{
	struct reading reading = {.contexts = contexts};
	yaml_parser_t parser;
	int result;

	if (!yaml_parser_initialize(&parser))
		return report(contexts->call, NULL, "not enough memory");
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &reading.document)) {
		result = read_document(&reading);
		yaml_document_delete(&reading.document);
	} else {
		result = fail_at(&reading, parser.problem_mark, parser.problem ? parser.problem : "it cannot be read",
				 "");
	}
	yaml_parser_delete(&parser);
	return result;
}

int contexts_read(struct contexts *contexts, const struct call *call)
{
	FILE *file;
	int result;

	*contexts = (struct contexts){.call = call};
	if (find_directory(contexts) < 0)
		return report(contexts->call, NULL, "not enough memory");
	if (!contexts->directory)
		return 0;
	read_choice(contexts);
	file = fopen(contexts->path, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return report(contexts->call, NULL, "%s: %s", contexts->path, strerror(errno));
	result = read_file(contexts, file);
	fclose(file);
	return result;
}

void contexts_finish(struct contexts *contexts)
{
	for (size_t i = 0; i < contexts->n; i++) {
		struct context *context = &contexts->list[i];

		if (context->token)
			explicit_bzero(context->token, strlen(context->token));
		free(context->name);
		free(context->url);
		free(context->token);
		free(context->token_file);
		free(context->ca);
		free(context->cert);
		free(context->key);
	}
	free(contexts->list);
	free(contexts->directory);
	free(contexts->path);
	free(contexts->choice);
}

const struct context *contexts_find(const struct contexts *contexts, const char *name)
{
	struct suggestion suggestion = {.wrong = name};
	char hint[SUGGEST_MAX_BYTES + 32];

	for (size_t i = 0; i < contexts->n; i++) {
		if (strcmp(contexts->list[i].name, name) == 0)
			return &contexts->list[i];
		suggest_consider(&suggestion, contexts->list[i].name);
	}
	report(contexts->call, NULL, "there is no context '%s' in %s%s", name,
	       contexts->path ? contexts->path : "~/.config/millrace/config.yaml (HOME is not set)",
	       suggest_text(&suggestion, hint, sizeof hint));
	return NULL;
}

/* -- Tokens -- */

/* A secret that others can read is none. */
static int check_secret(const struct contexts *contexts, int fd, const char *path)
{
	struct stat about;

	if (fstat(fd, &about) < 0)
		return report(contexts->call, NULL, "%s: %s", path, strerror(errno));
	if (!(about.st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	return report(contexts->call, NULL, "%s has a token, and others may read it; run: chmod 600 '%s'", path, path);
}

static int read_token_file(const struct contexts *contexts, const char *path, char *token, size_t size)
{
	FILE *file = fopen(path, "re");
	int code;

	if (!file)
		return report(contexts->call, NULL, "the token cannot be read: %s: %s", path, strerror(errno));
	code = check_secret(contexts, fileno(file), path);
	if (code == EXIT_OK && (!fgets(token, (int)size, file) || strcspn(token, "\r\n") == 0))
		code = report(contexts->call, NULL, "there is no token in %s", path);
	token[strcspn(token, "\r\n")] = '\0';
	fclose(file);
	return code;
}

int contexts_token(const struct contexts *contexts, const struct context *context, char *token, size_t size)
{
	int fd, code;

	token[0] = '\0';
	if (context->token_file)
		return read_token_file(contexts, context->token_file, token, size);
	if (!context->token)
		return 0;
	fd = open(contexts->path, O_RDONLY | O_CLOEXEC);
	code = fd < 0 ? EXIT_OK : check_secret(contexts, fd, contexts->path);
	if (fd >= 0)
		close(fd);
	if (code == EXIT_OK)
		snprintf(token, size, "%s", context->token);
	return code;
}

/* -- The choice -- */

static int write_choice(const char *path, const char *name)
{
	char *part;
	FILE *file;
	int result = -1;

	if (asprintf(&part, "%s.new", path) < 0)
		return -1;
	file = fopen(part, "we");
	if (file) {
		result = fprintf(file, "%s\n", name) < 0 ? -1 : 0;
		result |= fclose(file) != 0 ? -1 : 0;
	}
	if (result == 0)
		result = rename(part, path);
	free(part);
	return result;
}

int contexts_choose(const struct contexts *contexts, const char *name)
{
	const char *path = contexts->choice;
	int result = -1;

	if (path && name)
		result = write_choice(path, name);
	else if (path)
		result = unlink(path) < 0 && errno != ENOENT ? -1 : 0;
	if (result == 0)
		return EXIT_OK;
	return report(contexts->call, NULL, "the choice cannot be written down in %s: %s", path ? path : "a home",
		      strerror(errno));
}
