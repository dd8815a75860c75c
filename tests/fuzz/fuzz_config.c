/* The configuration: any text is read, or refused in one line that says where; and a first line that begins with `--set
 * ` is that option. */
#include "config/config.h"
#include "tests/fuzz/fuzz.h"

static void check_result(int result, const char *error)
{
	fuzz_assert(result == 0 || result == -1, "%d", result);
	if (result == 0)
		return;
	size_t len = strlen(error);
	fuzz_assert(len > 0 && len < CONFIG_ERROR_BYTES, "an error without a text");
	for (size_t i = 0; i < len; i++)
		fuzz_assert((unsigned char)error[i] >= ' ' && error[i] != 0x7f, "byte %zu is a control character", i);
}

static void check_good(const struct config *config)
{
#define LIMIT(field, unit, fallback, lowest, highest)                                                                  \
	fuzz_assert(config->limits.field + 1 > (uint64_t)(lowest) && config->limits.field <= (uint64_t)(highest),      \
		    #field);
	LIMITS(LIMIT)
#undef LIMIT
	fuzz_assert(config->n_listen >= 1 && config->n_listen <= MAX_LISTENERS, "%zu addresses", config->n_listen);
	for (size_t i = 0; i < config->n_channels; i++)
		fuzz_assert(config->channels[i].kind < CONFIG_NO_KIND && config->channels[i].name, "channel %zu", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char set[] = "--set ";
	struct config config;
	char error[CONFIG_ERROR_BYTES] = "";
	char *text = fuzz_copy(data, size);
	fuzz_assert(config_init(&config) == 0, "no memory");
	if (size > strlen(set) && memcmp(text, set, strlen(set)) == 0) {
		char *assignment = strndup(text + strlen(set), size - strlen(set));
		check_result(config_set(&config, assignment, error), error);
		free(assignment);
	} else {
		check_result(config_parse(&config, text, size, "fuzz", error), error);
	}
	int result = config_check(&config, error);
	check_result(result, error);
	if (result == 0)
		check_good(&config);
	config_finish(&config);
	free(text);
	return 0;
}
