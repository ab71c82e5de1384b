/* Ctrl-C and SIGTERM as something to wait for. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

/* From now on SIGINT and SIGTERM do not end the program; the returned descriptor becomes readable
 * instead. To be called before other threads start. -1 when the system has none to give: then the
 * signals end the program as usual. */
int interrupt_open(void);

#endif
