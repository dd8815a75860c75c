/* A configuration in a test: as it is before anything was read, changed by texts and assignments, and compared. What is
 * accepted or refused where it should not be fails the check test that runs, with the words of the refusal. */
#ifndef MILLRACE_TESTS_CONFIG_FIXTURE_H
#define MILLRACE_TESTS_CONFIG_FIXTURE_H

#include "config/config.h"

extern struct config config;
extern char config_error[CONFIG_ERROR_BYTES];

void config_setup(void);
void config_teardown(void);

/* A whole text, of a file "f". */
int parse(const char *text);
void expect_good(const char *text);
void expect_bad(const char *text, const char *expected);

/* One assignment, as of --set. */
void set(const char *assignment);
void expect_refused(const char *assignment, const char *expected);

/* config_check() */
void expect_check(const char *expected); /* it refuses */
void expect_checked(void);

void expect_same(const struct config *a, const struct config *b); /* member by member */

#endif
