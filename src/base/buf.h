/*
 * A growable byte buffer for text that is being built.
 *
 * Failure is sticky: once an append cannot be done (no memory, or above the limit) the buffer is
 * marked failed, further appends do nothing, and the caller checks once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
    char *data; /* not NUL-terminated; see buf_text */
    size_t len;
    size_t cap;
    size_t limit; /* largest len allowed; 0: none */
    bool failed;
};

/* An empty buffer that owns no memory; {0} is one, too. */
static inline void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

/* Frees the memory; the buffer may be used again. */
void buf_fini(struct buf *b);

/* Makes room for n more bytes and returns where they go; NULL (and failed) if impossible.
 * The caller writes them and then adds n to len (buf_commit). */
char *buf_reserve(struct buf *b, size_t n);

static inline void buf_commit(struct buf *b, size_t n)
{
    b->len += n;
}

static inline void buf_append(struct buf *b, const void *data, size_t n)
{
    if (n == 0)
        return;
    char *to =
        b->cap - b->len >= n && !b->failed && !b->limit ? b->data + b->len : buf_reserve(b, n);
    if (to) {
        memcpy(to, data, n);
        b->len += n;
    }
}

static inline void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

#define BUF_LITERAL(b, literal) buf_append((b), "" literal, sizeof(literal) - 1)

static inline void buf_append_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_append_text(struct buf *b, const char *text);
void buf_append_u64(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args);

/* Removes the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/* Keeps the memory, forgets the content and a failure. */
static inline void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->data, b->len);
}

/* The content as a NUL-terminated string, owned by the buffer; "" when empty or failed. */
const char *buf_text(struct buf *b);

/* Hands the memory (NUL-terminated, to be freed with memory_free) to the caller and empties the
 * buffer; NULL when it failed. */
char *buf_take(struct buf *b);

#endif
