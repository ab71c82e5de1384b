/*
 * What a command writes, on its way from the thread that passes it through to the thread that
 * publishes it.
 *
 * The writer appends and never waits: not for the reader, not for memory. When more lies in the
 * queue than its limit, the oldest pieces are left out, since the end of a program's output tells
 * more than its middle; the piece behind them says how many bytes were lost.
 *
 * The writer's functions are for one thread, output_queue_take for another. A backlog belongs to
 * one thread.
 */
#ifndef SOURCE_OUTPUT_QUEUE_H
#define SOURCE_OUTPUT_QUEUE_H

#include <pthread.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

#define OUTPUT_PIECE_SIZE ((size_t)64 * 1024)

struct output_piece {
    struct list link;
    unsigned stream;   /* 0: standard output (or the terminal), 1: standard error */
    uint64_t left_out; /* bytes that were lost in front of this piece */
    int64_t wall_ms;   /* when its first byte came */
    uint64_t came_ms;  /* likewise, clock_ms */
    size_t len, cap;
    char data[];
};

struct output_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list pieces;
    size_t bytes, limit;
    uint64_t left_out; /* lost, and no piece says so yet */
    bool closed;
    bool awaited; /* the reader waits for the first byte */
};

void output_queue_init(struct output_queue *q, size_t limit);
void output_queue_fini(struct output_queue *q);

/* Writer: copies the bytes. */
void output_queue_append(struct output_queue *q, unsigned stream, struct slice bytes);

/* Writer: nothing will follow. */
void output_queue_close(struct output_queue *q);

/*
 * Reader: waits until something is there, then until the first byte is batch_ms old, a piece is
 * full, or the queue is closed; but not longer than patience_ms in all. Moves all pieces to the end
 * of `pieces` (maybe none), to be freed with memory_free. False when the queue is closed and
 * empty: nothing will follow.
 */
bool output_queue_take(struct output_queue *q, int batch_ms, int patience_ms, struct list *pieces);

/* Reader: how much may lie in the queue from now on. */
void output_queue_set_limit(struct output_queue *q, size_t limit);

/* Pieces that wait to be published: small ones are joined, and the oldest are left out above the
 * limit, which counts memory. {…} needs output_backlog_init. */
struct output_backlog {
    struct list pieces;
    size_t cost, limit;
    uint64_t bytes;    /* of output that waits */
    uint64_t left_out; /* of output that was lost, in all */
};

void output_backlog_init(struct output_backlog *b, size_t limit);
void output_backlog_fini(struct output_backlog *b);

/* Takes the piece. */
void output_backlog_add(struct output_backlog *b, struct output_piece *piece);

/* The oldest piece, owned by the caller from now on; NULL when there is none. */
struct output_piece *output_backlog_take(struct output_backlog *b);

#endif
