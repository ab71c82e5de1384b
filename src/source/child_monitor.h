/* Between child.c and the process that leads the command's session; see child.h. */
#ifndef SOURCE_CHILD_MONITOR_H
#define SOURCE_CHILD_MONITOR_H

#include "source/child.h"

/* What the monitor tells, one in each message of the control socket. */
struct child_report {
    enum { CHILD_REPORT_STARTED, CHILD_REPORT_FAILED, CHILD_REPORT_STATE } kind;
    int value; /* the command's process id, errno, or a status as of waitpid */
};

/* The life of the monitor, in the forked process, with all signals blocked: makes the terminal that
 * of a new session, starts the command and watches over it. become_command(context) is called in
 * the command's process and does not return. */
_Noreturn void child_monitor(const struct child_options *options, int terminal, int control,
                             void (*become_command)(const void *context), const void *context);

#endif
