#define _GNU_SOURCE /* pipe2 */
#include "client/cli/common/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { SIGNAL_CODE = 128 }; /* what shells add to a signal's number */

static int ends[2] = {-1, -1};
static volatile sig_atomic_t happened; /* the signal's number */

static void on_interrupt(int number)
{
	int saved = errno;

	if (happened)
		_exit(SIGNAL_CODE + number);
	happened = number;
	(void)!write(ends[1], "", 1);
	errno = saved;
}

static void on_end(int number)
{
	_exit(SIGNAL_CODE + number);
}

static void catch_unless_ignored(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

	if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		(void)sigaction(number, &action, NULL);
}

void interrupt_obey_as_init(void)
{
	if (getpid() != 1)
		return;
	catch_unless_ignored(SIGINT, on_end);
	catch_unless_ignored(SIGTERM, on_end);
	catch_unless_ignored(SIGHUP, on_end);
}

int interrupt_catch(void)
{
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	catch_unless_ignored(SIGINT, on_interrupt);
	catch_unless_ignored(SIGTERM, on_interrupt);
	return ends[0];
}

bool interrupt_happened(void)
{
	return happened != 0;
}

int interrupt_code(void)
{
	return SIGNAL_CODE + (happened ? happened : SIGINT);
}
