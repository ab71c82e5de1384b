/* Growable byte buffer; see buf.h. */
#include "base/buf.h"

#include <stdio.h>

#include "base/memory.h"

void buf_fini(struct buf *b)
{
    memory_free(b->data);
    *b = (struct buf){.limit = b->limit};
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > SIZE_MAX / 4 || (b->limit && b->len + n > b->limit)) {
        b->failed = true;
        return NULL;
    }
    if (b->data && b->cap - b->len >= n)
        return b->data + b->len;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < b->len + n)
        cap += cap / 2 + 16;
    if (b->limit && cap > b->limit)
        cap = b->limit; /* what can never be used is not allocated either */
    char *data = memory_try_realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return NULL;
    }
    b->data = data;
    b->cap = cap;
    return b->data + b->len;
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_append(b, digits + at, sizeof digits - at);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, args);
        b->len += (size_t)n;
    }
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

const char *buf_text(struct buf *b)
{
    char *end = buf_reserve(b, 1);
    if (!end)
        return "";
    *end = '\0';
    return b->data;
}

char *buf_take(struct buf *b)
{
    char *end = buf_reserve(b, 1);
    if (!end) {
        buf_fini(b);
        return NULL;
    }
    *end = '\0';
    char *data = b->data;
    *b = (struct buf){.limit = b->limit};
    return data;
}
