/*
 * What `fanfare run` says of itself: sentences for people on stderr, and JSON lines for programs,
 * on stderr instead (--json) or in a file of their own (--report). Main thread.
 */
#ifndef CLI_RUN_REPORT_H
#define CLI_RUN_REPORT_H

#include "cli/command.h"
#include "cli/run_outlet.h"
#include "cli/run_publisher.h"
#include "cli/run_terminal.h"

#define RUN_REPORT_NONE (-1)

struct run_report {
    const struct command *command;
    const char *session; /* its id */
    const char *link;    /* the page that shows it; NULL: there is none */
    bool quiet;          /* nothing about the server for people */
    int fd;              /* of the JSON lines; STDERR_FILENO: they take the sentences' place */
    bool owns_fd;

    /* The session's, where there is one: how a line on stderr must end, and must begin. */
    const struct run_terminal *terminal;
    struct run_outlet *output;
};

/* What the command wrote, as far as it was counted. */
struct run_written {
    uint64_t lines; /* newlines */
    uint64_t bytes;
};

/* Where the JSON lines go: a path, or NULL for stderr. 0, or an errno when it cannot be opened. */
int run_report_open(struct run_report *r, const char *path);
void run_report_close(struct run_report *r);

/* Whether programs read along. */
static inline bool run_report_is_read(const struct run_report *r)
{
    return r->fd != RUN_REPORT_NONE;
}

/* event: what happened, in one word; text: the same as a sentence. */
void run_report_notice(struct run_report *r, const char *event, struct slice text);

/* The same about the server: nothing for people when they want it quiet. */
void run_report_server_notice(struct run_report *r, const char *event, struct slice text);

/* For programs alone. */
void run_report_started(struct run_report *r, const struct run_beginning *beginning);
void run_report_finished(struct run_report *r, const struct run_end *end,
                         const struct run_written *written, const struct run_losses *losses);

/* Adds bytes of output to what was written. */
void run_written_add(struct run_written *w, struct slice bytes);

#endif
