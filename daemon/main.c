/* millraced: the command line. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/server/environment.h"
#include "daemon/net/loop.h"
#include "daemon/net/tls_context.h"
#include "daemon/journal_inspect.h"
#include "daemon/server/server.h"

enum { EXIT_USAGE = 2, MAX_OVERRIDES = 64 };

static const char usage[] =
	"usage: millraced [-c FILE] [options]\n"
	"\n"
	"Hosts named channels. Runs in the foreground, and logs to standard error; when it accepts connections\n"
	"it logs one line that contains \"ready\" and its addresses.\n"
	"\n"
	"  -c, --config FILE     read this configuration (YAML); without it $MILLRACE_CONFIG, or the defaults, and no "
	"channels\n"
	"      --check           only check the configuration: exit status 0 if it is good\n"
	"      --listen URL      listen here instead of where the file says; may be given several times:\n"
	"                        tcp://HOST:PORT, tls://HOST:PORT (port 0: any free one), unix:///PATH\n"
	"      --http ADDR       HTTP (dashboard, metrics, gateway, health) at HOST:PORT, or `none`\n"
	"      --log FORMAT      text, or json: an object a line\n"
	"      --set KEY=VALUE   override one setting: limits.max_memory=1GiB, channels.jobs.kind=bounded\n"
	"      --journal-check DIR    read a journal, and say whether it is whole\n"
	"      --journal-dump DIR     print its records as JSON, one a line\n"
	"      --journal-salvage DIR  write what can be read of it to DIR.salvaged, and list what is lost\n"
	"      --version         print the version, and those of its libraries\n"
	"  -h, --help            print this\n"
	"\n"
	"Environment: MILLRACE_SET_KEY=VALUE is --set KEY=VALUE in capitals, such as "
	"MILLRACE_SET_LIMITS_MAX_MEMORY=1GiB. The command line comes\n"
	"over it, and it over the file.\n"
	"Signals: SIGHUP reads the configuration again (new channels, limits, users, certificates). SIGTERM drains: "
	"nothing new is taken, and it ends when\n"
	"nothing is left to be taken, or after limits.grace_ms. SIGINT, and a second SIGTERM, end it at once.\n"
	"Exit status: 0 ended cleanly, 1 error, 2 wrong usage, 3 ended, and values were left that nobody took,\n4 the "
	"journal could not be written to.\n";

enum option_id {
	OPTION_CONFIG = 'c',
	OPTION_HELP = 'h',
	OPTION_CHECK = 256,
	OPTION_JOURNAL_CHECK,
	OPTION_JOURNAL_DUMP,
	OPTION_JOURNAL_SALVAGE,
	OPTION_LISTEN,
	OPTION_HTTP,
	OPTION_LOG,
	OPTION_SET,
	OPTION_VERSION
};

/* What the command line says, to be applied over the file at every load. */
struct command_line {
	const char *config_path;
	bool check_only;
	struct {
		enum option_id option;
		const char *value;
	} overrides[MAX_OVERRIDES];
	size_t n_overrides;
};

static int apply_overrides(const struct command_line *line, struct config *config, char error[CONFIG_ERROR_BYTES])
{
	bool first_listen = true;
	char setting[100];
	for (size_t i = 0; i < line->n_overrides; i++) {
		const char *value = line->overrides[i].value;
		int result = 0;
		switch (line->overrides[i].option) {
		case OPTION_LISTEN:
			result = config_set_listen(config, value, first_listen, error);
			first_listen = false;
			break;
		case OPTION_HTTP:
			result = config_set_http(config, value, error);
			break;
		case OPTION_LOG:
			snprintf(setting, sizeof(setting), "log=%.80s", value);
			result = config_set(config, setting, error);
			break;
		case OPTION_SET:
			result = config_set(config, value, error);
			break;
		case OPTION_CONFIG:
		case OPTION_HELP:
		case OPTION_CHECK:
		case OPTION_JOURNAL_CHECK:
		case OPTION_JOURNAL_DUMP:
		case OPTION_JOURNAL_SALVAGE:
		case OPTION_VERSION:
			break;
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

static int load_config(void *arg, struct config *config, char error[CONFIG_ERROR_BYTES])
{
	const struct command_line *line = arg;
	if (config_init(config) < 0) {
		snprintf(error, CONFIG_ERROR_BYTES, "no memory");
		return -1;
	}
	if ((line->config_path && config_load(config, line->config_path, error) < 0) ||
	    environment_apply(config, error) < 0 || apply_overrides(line, config, error) < 0 ||
	    config_load_users(config, error) < 0 || config_check(config, error) < 0) {
		config_finish(config);
		memset(config, 0, sizeof(*config));
		return -1;
	}
	return 0;
}

/* Whether the files of TLS can be used. What clients will refuse for its date is told. */
static int check_certificate(const struct config *config, const struct address *address, char error[TLS_ERROR_BYTES])
{
	char text[TLS_ERROR_BYTES];
	if (address->scheme != ADDRESS_TLS)
		return 0;
	struct tls_settings settings = config_tls(config, address);
	struct tls_context *context = tls_context_create(&settings, error);
	if (!context)
		return -1;
	if (tls_context_is_out_of_date(context, time(NULL), text))
		fprintf(stderr, "millraced: warning: %s:%u: %s\n", address->host, address->port, text);
	tls_context_destroy(context);
	return 0;
}

static int check_certificates(const struct config *config, char error[TLS_ERROR_BYTES])
{
	for (size_t i = 0; i < config->n_listen; i++) {
		if (check_certificate(config, &config->listen[i], error) < 0)
			return -1;
	}
	return config->has_http ? check_certificate(config, &config->http, error) : 0;
}

static int check(struct command_line *line)
{
	struct config config;
	char error[CONFIG_ERROR_BYTES];
	if (load_config(line, &config, error) < 0) {
		fprintf(stderr, "millraced: %s\n", error);
		return EXIT_FAILURE;
	}
	if (check_certificates(&config, error) < 0) {
		fprintf(stderr, "millraced: %s\n", error);
		config_finish(&config);
		return EXIT_FAILURE;
	}
	printf("%s is good: %zu channels\n", line->config_path ? line->config_path : "the default configuration",
	       config.n_channels);
	config_finish(&config);
	return EXIT_SUCCESS;
}

static int refuse(const char *what, const char *which)
{
	fprintf(stderr, "millraced: %s%s\nTry 'millraced --help'.\n", what, which);
	return EXIT_USAGE;
}

/* Returns -1 to go on, or the exit status. */
static int parse(struct command_line *line, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, OPTION_CONFIG},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"journal-check", required_argument, NULL, OPTION_JOURNAL_CHECK},
		{"journal-dump", required_argument, NULL, OPTION_JOURNAL_DUMP},
		{"journal-salvage", required_argument, NULL, OPTION_JOURNAL_SALVAGE},
		{"listen", required_argument, NULL, OPTION_LISTEN},
		{"http", required_argument, NULL, OPTION_HTTP},
		{"log", required_argument, NULL, OPTION_LOG},
		{"set", required_argument, NULL, OPTION_SET},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"help", no_argument, NULL, OPTION_HELP},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			line->config_path = optarg;
			break;
		case OPTION_CHECK:
			line->check_only = true;
			break;
		case OPTION_LISTEN:
		case OPTION_HTTP:
		case OPTION_LOG:
		case OPTION_SET:
			if (line->n_overrides == MAX_OVERRIDES)
				return refuse("too many options: put them into a file", "");
			line->overrides[line->n_overrides].option = (enum option_id)option;
			line->overrides[line->n_overrides++].value = optarg;
			break;
		case OPTION_JOURNAL_CHECK:
			return inspect_check(optarg);
		case OPTION_JOURNAL_DUMP:
			return inspect_dump(optarg);
		case OPTION_JOURNAL_SALVAGE:
			return inspect_salvage(optarg);
		case OPTION_VERSION:
			printf("millraced " MILLRACE_VERSION "\nlibevent %s\nOpenSSL %s\nlibyaml %s\n",
			       loop_library_version(), tls_library_version(), config_library_version());
			return EXIT_SUCCESS;
		case OPTION_HELP:
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			return refuse("wrong usage", "");
		}
	}
	return optind < argc ? refuse("unexpected argument: ", argv[optind]) : -1;
}

int main(int argc, char **argv)
{
	struct command_line line = {.config_path = environment_config_path()};
	int status = parse(&line, argc, argv);
	if (status >= 0)
		return status;
	return line.check_only ? check(&line) : server_main(load_config, &line);
}
