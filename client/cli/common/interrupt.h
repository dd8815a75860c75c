/* Ctrl-C and SIGTERM, as something that poll() can wait for. The first is told here; a second one ends the program. As
 * process 1 of a container, which the system spares such signals, the program ends too. */
#ifndef MILLRACE_CLI_COMMON_INTERRUPT_H
#define MILLRACE_CLI_COMMON_INTERRUPT_H

#include <stdbool.h>

/* For main(): as process 1, signals that would end any other program end this one, as long as nothing else catches
 * them. */
void interrupt_obey_as_init(void);

/* A descriptor that becomes readable at the first Ctrl-C or SIGTERM, or -1 if it cannot be had: then all goes on
 * without. A signal that is ignored stays so. */
int interrupt_catch(void);

bool interrupt_happened(void);

/* The exit code that says which signal it was: 130 or 143, as shells have it. */
int interrupt_code(void);

#endif
