/* Ctrl-C, as something that poll() can wait for. The first is told here; a second one ends the program as if this were
 * not there. */
#ifndef MILLRACE_CLI_INTERRUPT_H
#define MILLRACE_CLI_INTERRUPT_H

#include <stdbool.h>

/* A descriptor that becomes readable at the first Ctrl-C, or -1 if that is ignored or cannot be had: then all goes on
 * without. */
int interrupt_catch(void);

bool interrupt_happened(void);

#endif
