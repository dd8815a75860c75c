/* The daemon as a whole: loop, core, listeners, sessions, HTTP, the one core timer, signals and reload. */
#ifndef MILLRACE_SERVER_H
#define MILLRACE_SERVER_H

#include "config/config.h"

/* Reads the configuration anew, as at the start. 0, or -1 with `error`; then *config is empty and need not be finished. */
typedef int server_load_config(void *arg, struct config *config, char error[CONFIG_ERROR_BYTES]);

/* Starts with what load_config() gives, serves until SIGTERM or SIGINT, and ends cleanly. Returns the exit status: 0, or 1 after a log
 * line that says why. SIGHUP calls load_config() again. */
int server_main(server_load_config *load_config, void *arg);

#endif
