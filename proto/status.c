/* The table of status.def as functions. Words are looked up rarely (once a reply on the client's side), so a walk is
 * fast enough. */
#include "proto/status.h"

#include <string.h>

struct word {
	const char *word;
	const char *text;
};

static const struct word statuses[] = {
#define STATUS(name, word, text) [STATUS_##name] = {word, text},
#define ERROR(name, word, text)
#include "proto/status.def"
#undef STATUS
#undef ERROR
};

static const struct word errors[] = {
	[ERROR_NONE] = {"none", "no error"},
#define STATUS(name, word, text)
#define ERROR(name, word, text) [ERROR_##name] = {word, text},
#include "proto/status.def"
#undef STATUS
#undef ERROR
};

static const struct word *status_row(enum status status)
{
	return &statuses[(unsigned)status < STATUS_COUNT ? status : STATUS_ERROR];
}

static const struct word *error_row(enum error error)
{
	return &errors[(unsigned)error < ERROR_COUNT ? error : ERROR_INTERNAL];
}

const char *status_name(enum status status)
{
	return status_row(status)->word;
}

const char *error_name(enum error error)
{
	return error_row(error)->word;
}

const char *status_text(enum status status)
{
	return status_row(status)->text;
}

const char *error_text(enum error error)
{
	return error_row(error)->text;
}

static int find_word(const struct word *words, int from, int to, const char *word, size_t len)
{
	for (int i = from; i < to; i++)
		if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
			return i;
	return -1;
}

enum status status_from_name(const char *word, size_t len)
{
	int found = find_word(statuses, 0, STATUS_COUNT, word, len);
	return found < 0 ? STATUS_ERROR : (enum status)found;
}

enum error error_from_name(const char *word, size_t len)
{
	int found = find_word(errors, ERROR_NONE + 1, ERROR_COUNT, word, len);
	return found < 0 ? ERROR_INTERNAL : (enum error)found;
}
