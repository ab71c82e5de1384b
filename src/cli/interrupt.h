/* Ctrl-C and SIGTERM as something to wait for. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM do not end the program; the returned descriptor becomes readable
 * instead. To be called before other threads start. -1 when the system has none to give: then the
 * signals end the program as usual. */
int interrupt_open(void);

/* The same, but the descriptor also becomes readable when nobody reads standard output any more
 * (`| head -1`), which a command that waits would learn only with its next line. */
int interrupt_open_reader(void);

/* Whether nobody reads standard output any more. */
bool interrupt_reader_is_gone(void);

#endif
