/* What the files of the load share: bench_load.c (runs), bench_connect.c (connections). */
#ifndef CLI_BENCH_LOAD_PRIVATE_H
#define CLI_BENCH_LOAD_PRIVATE_H

#include <sys/socket.h>

#include "cli/bench_frames.h"
#include "cli/bench_load.h"

enum bench_state { BENCH_CLOSED, BENCH_CONNECTING, BENCH_UPGRADING, BENCH_OPEN };

struct bench_connection {
    struct bench_load *load;
    int fd;
    enum bench_state state;
    bool writes;                /* epoll tells when it can be written to */
    bool greeted;               /* a reader that the server has said hello to */
    unsigned topic;             /* a reader's */
    uint64_t next;              /* the message that a reader has to get next */
    struct bench_frames frames; /* until the upgrade: the head so far */
};

#define BENCH_IN_FLIGHT \
    (1u << 17) /* messages between the oldest that is on its way and the newest */

struct bench_load {
    struct sockaddr_storage address;
    socklen_t address_size;
    const struct remote *remote;
    char run[16]; /* in the names of this run's sessions */
    unsigned size;
    int epoll;
    char *incoming; /* what one read takes */

    struct bench_connection *readers;
    unsigned reader_count, topics, opened;
    struct bench_connection publisher;
    struct buf outgoing; /* frames of the publisher */
    struct buf *why;     /* of the run at hand */

    uint64_t published; /* messages, ever */
    uint64_t completed; /* delivered to everybody, or acknowledged */
    uint64_t deliveries;
    uint32_t *missing;         /* deliveries that message n % BENCH_IN_FLIGHT lacks */
    size_t number_at;          /* where the last message had its number */
    uint64_t read_ns;          /* when the bytes at hand were read */
    struct histogram *latency; /* NULL: not wanted */
};

#define BENCH_READ_SIZE ((size_t)256 * 1024)

/* Connects the publisher, unless it is connected: without readers, each event is acknowledged. */
int bench_load_publisher(struct bench_load *l, struct buf *why);

/* Whether epoll shall tell when c can be written to. */
void bench_connection_want_write(struct bench_connection *c, bool wanted);

/* Waits for news of any connection, at most so long, and lets each work them off. */
int bench_wait(struct bench_load *l, uint64_t timeout_ns);

/* What a reader and the publisher are sent. */
int bench_on_reader(void *arg, struct slice payload);
int bench_on_publisher(void *arg, struct slice payload);

/* Writes what the publisher has to send. */
int bench_send(struct bench_load *l);

#endif
