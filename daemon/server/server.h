/* The daemon as a whole: loop, core, listeners, sessions, HTTP, the one core timer, signals and reload. */
#ifndef MILLRACE_SERVER_SERVER_H
#define MILLRACE_SERVER_SERVER_H

#include "config/config.h"

/* Reads the configuration anew, as at the start. 0, or -1 with `error`; then *config is empty and need not be finished.
 */
typedef int server_load_config(void *arg, struct config *config, char error[CONFIG_ERROR_BYTES]);

enum { SERVER_LEFT_VALUES = 3, SERVER_JOURNAL_FAILED = 4 };

/* Starts with what load_config() gives, serves until SIGTERM or SIGINT, drains, and ends cleanly. Returns the exit
 * status: 0, SERVER_LEFT_VALUES after a log line that counts what nobody took, SERVER_JOURNAL_FAILED after one that
 * says what failed, or 1 after one that says what went wrong. SIGHUP calls load_config() again. */
int server_main(server_load_config *load_config, void *arg);

#endif
