/*
 * WebSocket frames in: pieces of any size give the same messages and the same error as the whole;
 * no message is larger than allowed, no text is invalid, and nothing is held behind the last
 * message. The first three bytes choose the configuration and the sizes of the pieces.
 */
#include "../fuzz.h"

#include "codec/websocket.h"

#define MAX_MESSAGE 2000

struct outcome {
    struct buf trace;
    int result;
    uint16_t code;
};

static int on_message(void *arg, enum ws_opcode opcode, struct slice payload)
{
    struct outcome *o = arg;
    FUZZ_CHECK(opcode == WS_TEXT || opcode == WS_BINARY);
    FUZZ_CHECK(payload.len <= MAX_MESSAGE);
    FUZZ_CHECK(opcode != WS_TEXT || utf8_valid(payload));
    buf_printf(&o->trace, "%d %zu ", opcode, payload.len);
    buf_append_slice(&o->trace, payload);
    return 0;
}

static int on_control(void *arg, enum ws_opcode opcode, uint16_t code, struct slice payload)
{
    struct outcome *o = arg;
    FUZZ_CHECK(payload.len <= 125);
    FUZZ_CHECK((opcode == WS_CLOSE) == (code != 0));
    FUZZ_CHECK(opcode != WS_CLOSE || utf8_valid(payload));
    buf_printf(&o->trace, "%d %u %zu ", opcode, code, payload.len);
    buf_append_slice(&o->trace, payload);
    return 0;
}

static const struct ws_reader_ops ops = {on_message, on_control};

static struct outcome read_pieces(struct slice in, const struct ws_reader_config *config,
                                  size_t first, size_t step)
{
    struct outcome o = {0};
    struct ws_reader r;
    const char *why = NULL;
    ws_reader_init(&r);
    size_t n = first;
    while (in.len && o.result == 0) {
        n = n && n < in.len ? n : in.len;
        char *copy = fuzz_copy(slice_of(in.ptr, n));
        o.result = ws_reader_feed(&r, config, &ops, &o, copy, n, &o.code, &why);
        free(copy);
        in = slice_skip(in, n);
        n = step;
        FUZZ_CHECK(ws_reader_held(&r) < 2 * MAX_MESSAGE + 1000);
    }
    FUZZ_CHECK((o.result == 0) == (why == NULL) && (o.result == 0) == (o.code == 0));
    FUZZ_CHECK(o.result == 0 || ws_reader_held(&r) == 0);
    FUZZ_CHECK(!r.closed || ws_reader_held(&r) == 0);
    ws_reader_fini(&r);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of((const char *)data, size);
    uint8_t choice[3];
    if (!fuzz_take(&in, sizeof choice, choice))
        return 0;
    const struct ws_reader_config config = {
        .client = choice[0] & 1,
        .deflate = choice[0] & 2,
        .peer_no_context = choice[0] & 4,
        .window_bits = (uint8_t)(8 + (choice[0] >> 3 & 7)),
        .max_message = MAX_MESSAGE,
    };
    struct outcome whole = read_pieces(in, &config, 0, 0);
    const size_t ways[][2] = {{1, 1}, {choice[1], 0}, {choice[1], choice[2]}, {choice[2], 3}};
    for (size_t i = 0; i < 4; i++) {
        struct outcome o = read_pieces(in, &config, ways[i][0], ways[i][1]);
        FUZZ_CHECK(o.result == whole.result && o.code == whole.code);
        FUZZ_CHECK(slice_equal(buf_slice(&o.trace), buf_slice(&whole.trace)));
        buf_fini(&o.trace);
    }
    buf_fini(&whole.trace);
    return 0;
}
