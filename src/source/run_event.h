/* The data of a run's events, as JSON objects (the event catalogue says what is in them). Texts may
 * be any bytes; what is no UTF-8 becomes U+FFFD. No I/O, any thread. */
#ifndef SOURCE_RUN_EVENT_H
#define SOURCE_RUN_EVENT_H

#include <sys/ioctl.h>

#include "base/buf.h"
#include "source/progress.h"

/* How a command began and ended. */
struct run_beginning {
    char *const *argv;
    const char *directory;
    int pid;
    const struct winsize *size; /* of its terminal; NULL: none */
};

struct run_end {
    int pid;       /* 0: it was not started */
    int exit_code; /* of the command, or of a shell that could not start it */
    int signal;    /* that ended it; 0: none */
    double seconds;
    char *const *argv;     /* as in the beginning, which a reader may have missed; */
    const char *directory; /* NULL: not told */
};

void run_event_started(struct buf *out, const struct run_beginning *beginning);
void run_event_finished(struct buf *out, const struct run_end *end);

/* Their members alone, into an object that has been begun. */
void run_event_put_beginning(struct buf *out, const struct run_beginning *beginning);
void run_event_put_end(struct buf *out, const struct run_end *end);

/* The command could not be started. */
void run_event_failed(struct buf *out, const char *message);

void run_event_progress(struct buf *out, const struct progress *progress);

/* stream: 0 for standard output, 1 for standard error. */
void run_event_output(struct buf *out, struct slice text, unsigned stream, const char *source);

/* Output of the program itself that says that so many bytes are missing here. */
void run_event_gap(struct buf *out, uint64_t left_out, unsigned stream);

/* A number of bytes for people: "512 bytes", "200 KiB", "16 MiB". */
void run_event_append_size(struct buf *out, uint64_t bytes);

#endif
