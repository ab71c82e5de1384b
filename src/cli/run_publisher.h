/*
 * What `fanfare run` tells the server: that the command has started, what it writes, how far it is,
 * that it has ended.
 *
 * Three threads take part. The main thread passes the command's output through and appends a copy
 * to a queue, which never waits. The publisher's thread reads the progress out of it and makes
 * events of it, as fast as the client has room for them; what it has no room for waits in a backlog
 * of 14 MiB, from which the oldest is left out, and its place in the stream is marked. The client's
 * thread talks to the server, with another 2 MiB on the way.
 */
#ifndef CLI_RUN_PUBLISHER_H
#define CLI_RUN_PUBLISHER_H

#include "cli/remote.h"
#include "source/run_event.h"

struct run_publisher;

struct run_publisher_options {
    const struct remote *remote;
    const char *topic;
    const char *name; /* the command's: the `source` of its output */
};

/* All functions are for the main thread, and none waits for the server. The options' texts must
 * outlive the publisher. NULL after a message in `why` when the client cannot be made. */
struct run_publisher *run_publisher_new(const struct run_publisher_options *options, char *why,
                                        size_t why_size);

/* How the command's output is to be published. */
struct run_output_form {
    int64_t wall_ms; /* when the command began */
    /* Whether the stream's line ends lack the carriage return that a terminal adds: for streams
     * that reach us without one, while the events say that there is a terminal. */
    bool adds_return[2];
};

/* In this order: begin or fail (the command could not be started), output…, end. */
void run_publisher_begin(struct run_publisher *p, const struct run_beginning *beginning,
                         const struct run_output_form *form);
void run_publisher_fail(struct run_publisher *p, const char *message);
void run_publisher_output(struct run_publisher *p, unsigned stream, struct slice bytes);

/* Nothing follows. The publisher has wait_ms for the rest; less when the server is not there:
 * 1 s when it was never reached and `hurry`, nothing when it refuses us. */
void run_publisher_end(struct run_publisher *p, const struct run_end *end, int wait_ms, bool hurry);

/* Ends the wait that run_publisher_end began. */
void run_publisher_give_up(struct run_publisher *p);

/* Becomes readable when there is something to tell the caller or the publisher has ended. */
int run_publisher_wakeup(const struct run_publisher *p);

/* Something to tell the caller: what happened in one word, and the same as a sentence. */
typedef void run_publisher_notice(void *arg, const char *event, struct slice text);

/* Hands over the notices since the last call; without `notice` they are kept. Returns whether the
 * publisher has ended. */
bool run_publisher_notices(struct run_publisher *p, run_publisher_notice *notice, void *arg);

/* What the server did not get. */
struct run_losses {
    bool delivered;       /* it has acknowledged all that was published */
    uint64_t left_out;    /* bytes of output that it did not take in time, and that the stream says
                             are missing */
    uint64_t undelivered; /* bytes that were not acknowledged in the end, about */
    unsigned refused;     /* events */
};

/* Once the publisher has ended. */
void run_publisher_losses(const struct run_publisher *p, struct run_losses *losses);

/* Waits for the end of the publisher's thread; to be called once, after run_publisher_end. Returns
 * whether everything has reached the server. */
bool run_publisher_join(struct run_publisher *p);

/* After run_publisher_join. Frees it, and what was not delivered; that may take as long as the
 * system needs to find out the server's address. */
void run_publisher_free(struct run_publisher *p);

#endif
