/* The configuration: files, the sample and the container's among them. Tests run from the top of the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/config_fixture.h"
#include "tests/lib/suite.h"

START_TEST(the_sample_is_good_and_says_the_defaults)
{
	struct config fresh;
	ck_assert_int_eq(config_init(&fresh), 0);
	ck_assert_msg(config_load(&config, "config/millraced.yaml", config_error) == 0, "%s", config_error);
	expect_checked();
	ck_assert_mem_eq(&config.limits, &fresh.limits, sizeof(fresh.limits));
	ck_assert_uint_eq(config.n_listen, 1);
	ck_assert_str_eq(config.listen[0].host, fresh.listen[0].host);
	ck_assert_uint_eq(config.listen[0].port, fresh.listen[0].port);
	ck_assert(config.has_http);
	ck_assert_str_eq(config.http.host, fresh.http.host);
	ck_assert_uint_eq(config.http.port, fresh.http.port);
	ck_assert_int_eq(config.insecure, fresh.insecure);
	ck_assert_uint_eq(config.n_channels, 5);
	config_finish(&fresh);
}
END_TEST

START_TEST(the_sample_names_every_limit)
{
	static const char *const names[] = {
#define LIMIT(field, unit, fallback, lowest, highest) "\n  " #field ": ",
		LIMITS(LIMIT)
#undef LIMIT
	};
	static char text[64 * 1024];
	FILE *file = fopen("config/millraced.yaml", "r");
	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(strstr(text, names[i]) != NULL, "the sample lacks%s", names[i]);
}
END_TEST

START_TEST(the_containers_file_is_good)
{
	ck_assert_msg(config_load(&config, "docker/millraced.yaml", config_error) == 0, "%s", config_error);
	expect_checked();
	ck_assert(config.insecure && config.has_http && config.n_http_hosts == 1);
	ck_assert_str_eq(config.listen[0].host, "0.0.0.0");
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	ck_assert_int_eq(config_load(&config, "/nonexistent/f.yaml", config_error), -1);
	ck_assert_str_eq(config_error, "/nonexistent/f.yaml: cannot be read: No such file or directory");
	ck_assert_int_eq(config_load(&config, "/", config_error), -1);
	ck_assert_str_eq(config_error, "/: cannot be read: Is a directory");
}
END_TEST

START_TEST(a_file_is_named_in_its_errors)
{
	char path[] = "/tmp/millrace-config-XXXXXX", expected[100];
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "\nhtpp: none\n", 12), 12);
	close(fd);
	ck_assert_int_eq(config_load(&config, path, config_error), -1);
	snprintf(expected, sizeof(expected), "%s:2:1: unknown key \"htpp\"; did you mean \"http\"?", path);
	unlink(path);
	ck_assert_str_eq(config_error, expected);
}
END_TEST

int main(void)
{
	const TTest *const files[] = {the_sample_is_good_and_says_the_defaults,
				      the_sample_names_every_limit,
				      the_containers_file_is_good,
				      files_that_cannot_be_read,
				      a_file_is_named_in_its_errors,
				      NULL};
	Suite *suite = suite_create("config from files");
	suite_case(suite, "files", config_setup, config_teardown, files);
	return suite_run(suite);
}
