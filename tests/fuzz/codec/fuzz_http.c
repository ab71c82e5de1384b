/*
 * HTTP requests in: pieces of any size give the same requests and the same refusal as the whole.
 * The first two bytes choose the sizes of the pieces and whether an upgrade is taken.
 */
#include "../fuzz.h"

#include "codec/http.h"

struct outcome {
    struct buf trace;
    int result;
    int status;
    size_t used;
    bool take_upgrades;
};

static void note(struct outcome *o, struct slice s)
{
    buf_printf(&o->trace, "%zu ", s.len);
    buf_append_slice(&o->trace, s);
}

static bool note_address(void *arg, struct slice address)
{
    note(arg, address);
    return true;
}

static int on_head(void *arg, const struct http_request *r)
{
    struct outcome *o = arg;
    FUZZ_CHECK(r->header_count <= HTTP_MAX_HEADERS);
    FUZZ_CHECK(http_header_count(r, "host") == 1 || r->minor == 0);
    FUZZ_CHECK(!(http_header_count(r, "content-length") && r->chunked));
    FUZZ_CHECK(r->has_body == (r->chunked || r->content_length));
    buf_printf(&o->trace, "%d %d %d %d %d %llu ", r->method, r->chunked, r->keep_alive, r->upgrade,
               r->minor, (unsigned long long)r->content_length);
    note(o, r->target);
    note(o, r->path);
    note(o, r->query);
    note(o, r->authority);
    for (unsigned i = 0; i < r->header_count; i++) {
        FUZZ_CHECK(r->headers[i].name.len && r->headers[i].value.ptr);
        note(o, r->headers[i].name);
        note(o, r->headers[i].value);
    }
    http_header_has_token(r, "connection", "upgrade");
    http_forwarded_each(r, note_address, o);
    return r->upgrade && o->take_upgrades;
}

static int on_body(void *arg, struct slice piece)
{
    struct outcome *o = arg;
    FUZZ_CHECK(piece.len);
    buf_append_slice(&o->trace, piece); /* how it is cut does not matter */
    return 0;
}

static int on_done(void *arg)
{
    struct outcome *o = arg;
    buf_append_text(&o->trace, "done\n");
    return 0;
}

static const struct http_parser_ops ops = {on_head, on_body, on_done};

static void feed(struct http_parser *p, struct outcome *o, struct slice piece)
{
    char *copy = fuzz_copy(piece);
    size_t at = 0;
    while (o->result == 0 && at < piece.len) {
        size_t used;
        const char *why = NULL;
        o->result = http_parser_feed(p, copy + at, piece.len - at, &used, &o->status, &why);
        FUZZ_CHECK((o->result < 0) == (why != NULL) && (o->result < 0) == (o->status != 0));
        FUZZ_CHECK(used <= piece.len - at && (used || o->result));
        at += used;
        o->used += used;
        http_parser_resume(p);
    }
    free(copy);
}

static struct outcome read_pieces(struct slice in, size_t first, size_t step, bool take_upgrades)
{
    struct outcome o = {.take_upgrades = take_upgrades};
    struct http_parser *p = http_parser_new(&ops, &o);
    size_t n = first;
    while (in.len && o.result == 0) {
        n = n && n < in.len ? n : in.len;
        feed(p, &o, slice_of(in.ptr, n));
        in = slice_skip(in, n);
        n = step;
    }
    http_parser_busy(p);
    http_parser_free(p);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of((const char *)data, size);
    uint8_t choice[2];
    if (!fuzz_take(&in, sizeof choice, choice))
        return 0;
    bool take = choice[0] & 1;
    struct outcome whole = read_pieces(in, 0, 0, take);
    const size_t ways[][2] = {{1, 1}, {choice[1], 0}, {choice[0], choice[1]}};
    for (size_t i = 0; i < 3; i++) {
        struct outcome o = read_pieces(in, ways[i][0], ways[i][1], take);
        FUZZ_CHECK(o.result == whole.result && o.status == whole.status);
        FUZZ_CHECK(o.result < 0 || o.used == whole.used);
        FUZZ_CHECK(slice_equal(buf_slice(&o.trace), buf_slice(&whole.trace)));
        buf_fini(&o.trace);
    }
    buf_fini(&whole.trace);
    return 0;
}
