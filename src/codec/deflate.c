/*
 * permessage-deflate (RFC 7692) over zlib's raw deflate; see deflate.h. The negotiation is in
 * deflate_offer.c.
 *
 * zlib takes its memory through memory_try_*, so that running out of it ends one connection and
 * tests can make every allocation fail.
 */
#include "codec/deflate.h"

#include <limits.h>
#include <zlib.h>

#include "base/memory.h"
#include "fanfare/error.h"

#define WINDOW_BITS 15
#define WINDOW_SIZE (1u << WINDOW_BITS)

/* What a sync flush ends with, and what is cut off on the wire (7.2.1). */
static const struct slice flush_tail = {"\x00\x00\xFF\xFF", 4};

struct ws_deflate {
    z_stream zlib;
};

struct ws_inflate {
    z_stream zlib;
    size_t most;    /* the length that the output may reach */
    bool restarted; /* a final block ended, and nothing was read after it */
};

static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
    (void)opaque;
    return memory_try_alloc((size_t)items * size);
}

static void zlib_free(void *opaque, void *p)
{
    (void)opaque;
    memory_free(p);
}

/* ---- Compression ---- */

struct ws_deflate *ws_deflate_new_window(int level, int window_bits)
{
    struct ws_deflate *d = memory_try_alloc(sizeof *d);
    if (!d)
        return NULL;
    *d = (struct ws_deflate){.zlib = {.zalloc = zlib_alloc, .zfree = zlib_free}};
    if (deflateInit2(&d->zlib, level, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        memory_free(d);
        return NULL;
    }
    return d;
}

struct ws_deflate *ws_deflate_new(int level)
{
    return ws_deflate_new_window(level, WINDOW_BITS);
}

void ws_deflate_free(struct ws_deflate *d)
{
    if (!d)
        return;
    deflateEnd(&d->zlib);
    memory_free(d);
}

/* deflateBound speaks of Z_FINISH; a flush that ends on the byte boundary needs a little more. */
#define FLUSH_ROOM 16

int ws_deflate_message(struct ws_deflate *d, struct slice message, struct buf *out)
{
    z_stream *z = &d->zlib;
    if (message.len > UINT_MAX / 2)
        return FAN_E_TOO_LARGE;
    deflateReset(z);
    size_t room = deflateBound(z, message.len) + FLUSH_ROOM;
    char *to = buf_reserve(out, room);
    if (!to)
        return FAN_E_NO_MEMORY;
    z->next_in = (unsigned char *)message.ptr;
    z->avail_in = (unsigned)message.len;
    z->next_out = (unsigned char *)to;
    z->avail_out = (unsigned)room;
    int result = deflate(z, Z_SYNC_FLUSH);
    size_t size = room - z->avail_out;
    if (result != Z_OK || z->avail_in || z->avail_out == 0 || size < flush_tail.len)
        return FAN_E_NO_MEMORY;
    buf_commit(out, size - flush_tail.len);
    return 0;
}

/* ---- Inflation ---- */

struct ws_inflate *ws_inflate_new(int window_bits)
{
    struct ws_inflate *i = memory_try_alloc(sizeof *i);
    if (!i)
        return NULL;
    *i = (struct ws_inflate){.zlib = {.zalloc = zlib_alloc, .zfree = zlib_free}};
    /* A peer whose own zlib knows no raw window of 8 bits uses 9 where 8 were agreed; a larger
     * window reads both. */
    if (inflateInit2(&i->zlib, window_bits < 9 ? -9 : -window_bits) != Z_OK) {
        memory_free(i);
        return NULL;
    }
    return i;
}

void ws_inflate_free(struct ws_inflate *i)
{
    if (!i)
        return;
    inflateEnd(&i->zlib);
    memory_free(i);
}

/* After a block with BFINAL set (7.2.3.4): what follows begins a new stream for zlib, but for the
 * peer the window goes on. */
static int restart(struct ws_inflate *i)
{
    unsigned size = 0;
    unsigned char *window = memory_try_alloc(WINDOW_SIZE);
    if (!window)
        return FAN_E_NO_MEMORY;
    int result = 0;
    if (inflateGetDictionary(&i->zlib, window, &size) != Z_OK || inflateReset(&i->zlib) != Z_OK)
        result = FAN_E_PROTOCOL;
    else if (size && inflateSetDictionary(&i->zlib, window, size) != Z_OK)
        result = FAN_E_NO_MEMORY;
    memory_free(window);
    i->restarted = true;
    return result;
}

/* Where the next bytes go: room in the buffer, or, when the limit is reached, a byte beside it
 * that shows whether there would be more. False: no memory. */
static bool make_room(struct ws_inflate *i, struct buf *out, unsigned char *beside)
{
    z_stream *z = &i->zlib;
    size_t allowed = i->most - out->len;
    size_t wanted = (size_t)z->avail_in * 2 + 256;
    z->next_out = beside;
    z->avail_out = 1;
    if (allowed == 0)
        return true;
    z->next_out = (unsigned char *)buf_reserve(out, wanted < allowed ? wanted : allowed);
    if (!z->next_out)
        return false;
    size_t room = out->cap - out->len < allowed ? out->cap - out->len : allowed;
    z->avail_out = room < UINT_MAX ? (unsigned)room : UINT_MAX;
    return true;
}

static int inflate_step(struct ws_inflate *i, struct buf *out)
{
    z_stream *z = &i->zlib;
    unsigned char beside;
    if (!make_room(i, out, &beside))
        return FAN_E_NO_MEMORY;
    unsigned room = z->avail_out;
    bool full = z->next_out == &beside;
    i->restarted = false;
    int result = inflate(z, Z_SYNC_FLUSH);
    if (full && z->avail_out == 0)
        return FAN_E_TOO_LARGE;
    if (!full)
        buf_commit(out, room - z->avail_out);
    if (result == Z_STREAM_END)
        return restart(i);
    if (result == Z_MEM_ERROR)
        return FAN_E_NO_MEMORY;
    return result == Z_OK || result == Z_BUF_ERROR ? 0 : FAN_E_PROTOCOL;
}

/* Inflates all of piece: until there is neither input left nor output held back. */
static int inflate_piece(struct ws_inflate *i, struct slice piece, struct buf *out)
{
    z_stream *z = &i->zlib;
    z->next_in = (unsigned char *)piece.ptr;
    z->avail_in = (unsigned)piece.len;
    while (z->avail_in || (z->avail_out == 0 && !i->restarted)) {
        int result = inflate_step(i, out);
        if (result)
            return result;
    }
    return 0;
}

/* Whether the data ended between two blocks on a byte boundary, as an honest message must:
 * zlib tells in data_type. */
static bool at_block_end(const struct ws_inflate *i)
{
    return i->restarted || ((i->zlib.data_type & 128) && (i->zlib.data_type & 7) == 0);
}

static int inflate_all(struct ws_inflate *i, struct slice payload, struct buf *out)
{
    i->restarted = false;
    i->zlib.avail_out = 1; /* nothing is held back yet */
    int result = inflate_piece(i, payload, out);
    /* A message may end with a final block; then the tail is not needed, and is no block. */
    if (result == 0 && !i->restarted)
        result = inflate_piece(i, flush_tail, out);
    if (result == 0 && !at_block_end(i))
        result = FAN_E_PROTOCOL;
    return result;
}

int ws_inflate_message(struct ws_inflate *i, struct slice payload, bool reset, size_t limit,
                       struct buf *out)
{
    size_t start = out->len;
    size_t own_limit = out->limit;
    if (payload.len > UINT_MAX)
        return FAN_E_TOO_LARGE;
    if (payload.len == 0)
        return 0; /* not what 7.2.3.6 has for an empty message, but there are peers that send it */
    i->most = limit < SIZE_MAX / 2 - start ? start + limit : SIZE_MAX / 2;
    if (own_limit && own_limit < i->most)
        i->most = own_limit;
    out->limit = i->most; /* the buffer's memory stays below it, too */
    int result = inflate_all(i, payload, out);
    out->limit = own_limit;
    if (result)
        out->len = start;
    else if (reset)
        inflateReset(&i->zlib);
    return result;
}
