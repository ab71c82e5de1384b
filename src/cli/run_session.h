/*
 * A command between the caller and its own terminal or pipes: every byte goes both ways as it is,
 * signals and the window's size go in, and a copy of the output goes to the publisher.
 */
#ifndef CLI_RUN_SESSION_H
#define CLI_RUN_SESSION_H

#include "cli/run_report.h"

enum run_terminals {
    RUN_AUTOMATIC, /* the command has a terminal where the caller has one */
    RUN_TERMINAL,  /* its output always goes to a terminal */
    RUN_PIPES,     /* never */
};

struct run_session_options {
    char *const *argv;
    enum run_terminals terminals;
    int wait_ms;
    bool hurry; /* see run_publisher_end */
    struct run_publisher *publisher;
    struct run_report *report;
};

/* Runs the command to its end and waits for the publisher's. Returns the exit code: the command's,
 * 128 + n after signal n, 127 when there is no such command, 126 when it cannot be started. Takes
 * over the program's signals; to be called once, and after the publisher was made. When Ctrl-C has
 * ended an interactive command, the program ends by SIGINT as well, and with it the caller's job.
 */
int run_session(const struct run_session_options *options);

/* Blocks the signals that the session reads from a descriptor, so that threads which start before
 * it leave them alone, too; ignored ones stay ignored. */
void run_session_block_signals(void);

#endif
