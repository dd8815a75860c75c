#define _GNU_SOURCE /* pipe2 */
#include "client/cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static int ends[2] = {-1, -1};
static volatile sig_atomic_t happened;

static void on_interrupt(int number)
{
	int saved = errno;

	(void)number;
	happened = 1;
	(void)!write(ends[1], "", 1);
	errno = saved;
}

int interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
	struct sigaction old;

	if (sigaction(SIGINT, NULL, &old) < 0 || old.sa_handler == SIG_IGN || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	if (sigaction(SIGINT, &action, NULL) < 0)
		return -1;
	return ends[0];
}

bool interrupt_happened(void)
{
	return happened;
}
