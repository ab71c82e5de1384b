/* What a command writes, between two threads; see output_queue.h. */
#include "source/output_queue.h"

#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

static struct output_piece *piece_at(struct list *link)
{
    return CONTAINER(link, struct output_piece, link);
}

/* ---- The queue: writer ---- */

void output_queue_init(struct output_queue *q, size_t limit)
{
    pthread_condattr_t monotonic;
    *q = (struct output_queue){.limit = limit};
    list_init(&q->pieces);
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_pieces(struct list *pieces)
{
    LIST_EACH (link, pieces)
        memory_free(piece_at(link));
    list_init(pieces);
}

void output_queue_fini(struct output_queue *q)
{
    free_pieces(&q->pieces);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
}

static void drop_oldest(struct output_queue *q)
{
    struct output_piece *piece = piece_at(q->pieces.next);
    uint64_t lost = piece->left_out + piece->len;
    list_remove(&piece->link);
    q->bytes -= piece->len;
    if (list_empty(&q->pieces))
        q->left_out += lost;
    else
        piece_at(q->pieces.next)->left_out += lost;
    memory_free(piece);
}

static struct output_piece *new_piece(struct output_queue *q, unsigned stream)
{
    struct output_piece *piece = memory_try_alloc(sizeof *piece + OUTPUT_PIECE_SIZE);
    if (!piece)
        return NULL;
    *piece = (struct output_piece){.stream = stream,
                                   .left_out = q->left_out,
                                   .wall_ms = clock_wall_ms(),
                                   .came_ms = clock_ms(),
                                   .cap = OUTPUT_PIECE_SIZE};
    q->left_out = 0;
    list_append(&q->pieces, &piece->link);
    return piece;
}

/* The piece that the next bytes of a stream go to; NULL when there is no memory. */
static struct output_piece *open_piece(struct output_queue *q, unsigned stream)
{
    if (!list_empty(&q->pieces)) {
        struct output_piece *last = piece_at(q->pieces.prev);
        if (last->stream == stream && last->len < last->cap)
            return last;
    }
    return new_piece(q, stream);
}

void output_queue_append(struct output_queue *q, unsigned stream, struct slice bytes)
{
    pthread_mutex_lock(&q->lock);
    bool wake = q->awaited && bytes.len;
    while (bytes.len) {
        struct output_piece *piece = open_piece(q, stream);
        if (!piece) {
            q->left_out += bytes.len;
            break;
        }
        size_t room = piece->cap - piece->len, n = bytes.len < room ? bytes.len : room;
        memcpy(piece->data + piece->len, bytes.ptr, n);
        piece->len += n;
        q->bytes += n;
        bytes = slice_skip(bytes, n);
        wake |= piece->len == piece->cap;
        while (q->bytes > q->limit && q->pieces.next != &piece->link)
            drop_oldest(q);
    }
    if (wake)
        pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

void output_queue_close(struct output_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

/* ---- The queue: reader ---- */

/* When there is no more reason to wait, clock_ms; 0: now. */
static uint64_t due_at(const struct output_queue *q, int batch_ms)
{
    if (q->closed)
        return 0;
    if (list_empty(&q->pieces))
        return UINT64_MAX;
    const struct output_piece *first = piece_at(q->pieces.next);
    bool full = first->len == first->cap || first->link.next != &q->pieces;
    return full ? 0 : first->came_ms + (uint64_t)batch_ms;
}

static void wait_until(struct output_queue *q, uint64_t ms)
{
    struct timespec until = {.tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000L};
    pthread_cond_timedwait(&q->changed, &q->lock, &until);
}

bool output_queue_take(struct output_queue *q, int batch_ms, int patience_ms, struct list *pieces)
{
    uint64_t give_up = clock_ms() + (uint64_t)patience_ms, due;
    pthread_mutex_lock(&q->lock);
    while ((due = due_at(q, batch_ms)) > clock_ms() && clock_ms() < give_up) {
        q->awaited = list_empty(&q->pieces);
        wait_until(q, due < give_up ? due : give_up);
        q->awaited = false;
    }
    bool more = !q->closed || !list_empty(&q->pieces);
    list_take_all(pieces, &q->pieces);
    q->bytes = 0;
    pthread_mutex_unlock(&q->lock);
    return more;
}

void output_queue_set_limit(struct output_queue *q, size_t limit)
{
    pthread_mutex_lock(&q->lock);
    q->limit = limit;
    pthread_mutex_unlock(&q->lock);
}

/* ---- The backlog ---- */

void output_backlog_init(struct output_backlog *b, size_t limit)
{
    *b = (struct output_backlog){.limit = limit};
    list_init(&b->pieces);
}

void output_backlog_fini(struct output_backlog *b)
{
    free_pieces(&b->pieces);
}

static size_t cost_of(const struct output_piece *piece)
{
    return sizeof *piece + piece->cap;
}

/* Gives a piece room for `cap` bytes. It may move; the old one when there is no memory. */
static struct output_piece *resize(struct output_piece *piece, size_t cap)
{
    struct output_piece *moved = memory_try_realloc(piece, sizeof *piece + cap);
    if (!moved)
        return piece;
    moved->cap = cap;
    return moved;
}

/* Appends a piece's bytes to the last one, if that is possible. */
static bool join(struct output_backlog *b, const struct output_piece *piece)
{
    if (list_empty(&b->pieces) || piece->left_out)
        return false;
    struct output_piece *last = piece_at(b->pieces.prev);
    size_t len = last->len + piece->len;
    if (last->stream != piece->stream || len > OUTPUT_PIECE_SIZE)
        return false;
    if (len > last->cap) {
        list_remove(&last->link);
        b->cost -= cost_of(last);
        last = resize(last, len * 2 < OUTPUT_PIECE_SIZE ? len * 2 : OUTPUT_PIECE_SIZE);
        list_append(&b->pieces, &last->link);
        b->cost += cost_of(last);
    }
    if (len > last->cap)
        return false;
    memcpy(last->data + last->len, piece->data, piece->len);
    last->len = len;
    return true;
}

static void unlink_oldest(struct output_backlog *b, struct output_piece *piece)
{
    list_remove(&piece->link);
    b->cost -= cost_of(piece);
    b->bytes -= piece->len;
}

/* Leaves out the oldest pieces, but never the newest. */
static void keep_limit(struct output_backlog *b)
{
    while (b->cost > b->limit && b->pieces.next != b->pieces.prev) {
        struct output_piece *oldest = piece_at(b->pieces.next);
        unlink_oldest(b, oldest);
        b->left_out += oldest->len;
        piece_at(b->pieces.next)->left_out += oldest->left_out + oldest->len;
        memory_free(oldest);
    }
}

void output_backlog_add(struct output_backlog *b, struct output_piece *piece)
{
    b->bytes += piece->len;
    b->left_out += piece->left_out;
    if (join(b, piece)) {
        memory_free(piece);
    } else {
        if (piece->len < piece->cap / 2)
            piece = resize(piece, piece->len);
        list_append(&b->pieces, &piece->link);
        b->cost += cost_of(piece);
    }
    keep_limit(b);
}

struct output_piece *output_backlog_take(struct output_backlog *b)
{
    if (list_empty(&b->pieces))
        return NULL;
    struct output_piece *oldest = piece_at(b->pieces.next);
    unlink_oldest(b, oldest);
    return oldest;
}
