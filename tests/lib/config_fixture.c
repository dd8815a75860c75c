#include "tests/lib/config_fixture.h"

#include <check.h>
#include <string.h>

struct config config;
char config_error[CONFIG_ERROR_BYTES];

void config_setup(void)
{
	ck_assert_int_eq(config_init(&config), 0);
	strcpy(config_error, "no error");
}

void config_teardown(void)
{
	config_finish(&config);
}

int parse(const char *text)
{
	return config_parse(&config, text, strlen(text), "f", config_error);
}

void expect_good(const char *text)
{
	if (parse(text) < 0)
		ck_abort_msg("%s\nwas refused: %s", text, config_error);
}

void expect_bad(const char *text, const char *expected)
{
	ck_assert_msg(parse(text) == -1, "%s\nwas accepted; expected %s", text, expected);
	ck_assert_msg(strcmp(config_error, expected) == 0, "%s\nerror:    %s\nexpected: %s", text, config_error,
		      expected);
}

void set(const char *assignment)
{
	if (config_set(&config, assignment, config_error) < 0)
		ck_abort_msg("%s was refused: %s", assignment, config_error);
}

void expect_refused(const char *assignment, const char *expected)
{
	ck_assert_msg(config_set(&config, assignment, config_error) == -1, "%s was accepted; expected %s", assignment,
		      expected);
	ck_assert_str_eq(config_error, expected);
}

void expect_check(const char *expected)
{
	ck_assert_msg(config_check(&config, config_error) == -1, "was accepted; expected %s", expected);
	ck_assert_str_eq(config_error, expected);
}

void expect_checked(void)
{
	ck_assert_msg(config_check(&config, config_error) == 0, "was refused: %s", config_error);
}

void expect_same(const struct config *a, const struct config *b)
{
	ck_assert_uint_eq(a->n_listen, b->n_listen);
	for (size_t i = 0; i < a->n_listen; i++) {
		ck_assert_int_eq(a->listen[i].scheme, b->listen[i].scheme);
		ck_assert_str_eq(a->listen[i].host, b->listen[i].host);
		ck_assert_uint_eq(a->listen[i].port, b->listen[i].port);
	}
	ck_assert_int_eq(a->has_http, b->has_http);
	if (a->has_http) {
		ck_assert_str_eq(a->http.host, b->http.host);
		ck_assert_uint_eq(a->http.port, b->http.port);
	}
	ck_assert_int_eq(a->insecure, b->insecure);
	ck_assert_uint_eq(a->spin_us, b->spin_us);
	ck_assert_mem_eq(&a->limits, &b->limits, sizeof(a->limits));
	ck_assert_uint_eq(a->n_channels, b->n_channels);
	for (size_t i = 0; i < a->n_channels; i++) {
		ck_assert_str_eq(a->channels[i].name, b->channels[i].name);
		ck_assert_int_eq(a->channels[i].kind, b->channels[i].kind);
		ck_assert_uint_eq(a->channels[i].capacity, b->channels[i].capacity);
		ck_assert_uint_eq(a->channels[i].max_waiters, b->channels[i].max_waiters);
	}
}
