/*
 * A command as a child process, with pseudo-terminals or pipes for what it writes.
 *
 * It runs in one of two ways:
 *
 * - attached: in the caller's process group and with the caller's standard input, as any program of
 *   the same job. Only its output goes elsewhere. Keys that send signals, job control and what is
 *   piped in work as if nobody stood between;
 * - in a session of its own, whose terminal the caller keeps the other end of: for interactive
 *   programs. Between the two stands a monitor, a process that leads the session. It makes stopping
 *   the command possible (a session's leader cannot be stopped by Ctrl-Z), tells the caller about
 *   it, and restores the caller's terminal when the caller is killed.
 *
 * One thread. The calling program may have others: between fork and exec nothing is done that could
 * wait for them.
 */
#ifndef SOURCE_CHILD_H
#define SOURCE_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "base/buf.h"

enum child_output {
    CHILD_TERMINAL,    /* a pseudo-terminal, the same for both */
    CHILD_PIPE,        /* a pipe of its own */
    CHILD_WITH_OUTPUT, /* standard error only: where standard output goes */
};

struct child_options {
    char *const *argv; /* NULL-terminated; argv[0] is searched for in PATH */
    bool session;      /* needs CHILD_TERMINAL for standard output */
    enum child_output output, error;
    struct termios settings; /* of the pseudo-terminal */
    struct winsize size;
    const sigset_t *mask; /* the command's signal mask; its SIGPIPE has the default action */

    /* With a session: the caller's terminal, set back to `before` when the caller dies while it is
     * in the mode `during`. */
    int terminal;
    struct termios before, during;
};

struct child {
    pid_t pid;      /* the command's */
    int terminal;   /* our end of the pseudo-terminal; -1: none */
    int outputs[2]; /* what to read standard output and error from; [1] is -1 when it is [0] */
    bool session;
    pid_t process; /* our child: the command or the monitor */
    int control;   /* to the monitor; -1: none */
};

enum child_state { CHILD_RUNS, CHILD_STOPPED, CHILD_EXITED, CHILD_KILLED };

/* Starts the command. The descriptors of `child` do not block and are closed on exec. 0;
 * FAN_E_NOT_FOUND when there is no such command, FAN_E_DENIED when it cannot be executed, FAN_E_IO
 * when the system has no process or terminal to give; the reason goes to `why`. */
int child_start(struct child *child, const struct child_options *options, struct buf *why);

/* What became of the command since the last call: *value is its exit code or the number of the
 * signal that stopped or ended it. Never waits. To be called after SIGCHLD, and when `control` is
 * readable. Not after CHILD_EXITED or CHILD_KILLED. */
enum child_state child_poll(struct child *child, int *value);

/* Closes the descriptors, which takes the command's terminal away. It does not end the command. */
void child_close(struct child *child);

#endif
