/* The key of a variable is what follows MILLRACE_SET_, in lower case; a limit's begins with LIMITS_. They are applied
 * in the order of their names, so that a whole comes before its parts (MILLRACE_SET_LIMITS before
 * MILLRACE_SET_LIMITS_MAX_FRAME), whatever the order of the environment. */
#include "daemon/server/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const char prefix[] = "MILLRACE_SET_", limits[] = "limits_";

const char *environment_config_path(void)
{
	const char *path = getenv("MILLRACE_CONFIG");
	return path && path[0] ? path : NULL;
}

/* "MILLRACE_SET_LIMITS_MAX_FRAME=1MiB" into "limits.max_frame=1MiB". To be freed; NULL without memory. */
static char *assignment_of(const char *variable)
{
	char *assignment = strdup(variable + strlen(prefix));
	if (!assignment)
		return NULL;
	for (char *at = assignment; *at && *at != '='; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	if (strncmp(assignment, limits, strlen(limits)) == 0)
		assignment[strlen(limits) - 1] = '.';
	return assignment;
}

static int apply(struct config *config, const char *variable, char error[CONFIG_ERROR_BYTES])
{
	char name[128];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(variable, "="), variable);
	char *assignment = assignment_of(variable);
	if (!assignment) {
		snprintf(error, CONFIG_ERROR_BYTES, "%s: no memory", name);
		return -1;
	}
	int result = config_set_from(config, name, assignment, error);
	free(assignment);
	return result;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int environment_apply(struct config *config, char error[CONFIG_ERROR_BYTES])
{
	size_t n = 0, all = 0;
	while (environ && environ[all])
		all++;
	const char **variables = calloc(all + 1, sizeof(*variables));
	if (!variables) {
		snprintf(error, CONFIG_ERROR_BYTES, "no memory for the environment");
		return -1;
	}
	for (size_t i = 0; i < all; i++) {
		if (strncmp(environ[i], prefix, strlen(prefix)) == 0)
			variables[n++] = environ[i];
	}
	qsort(variables, n, sizeof(*variables), compare);
	int result = 0;
	for (size_t i = 0; i < n && result == 0; i++)
		result = apply(config, variables[i], error);
	free(variables);
	return result;
}
