/*
 * permessage-deflate: any header is negotiated into an answer that is one of ours, any bytes
 * inflate to at most the limit, and what is compressed comes back. The first byte chooses.
 */
#include "../fuzz.h"

#include "codec/deflate.h"
#include "fanfare/error.h"

#define LIMIT 20000

static void negotiate(struct slice offers, unsigned wishes)
{
    struct ws_deflate_agreement a;
    char answer[192];
    int result = ws_deflate_negotiate(offers, wishes, &a, answer);
    FUZZ_CHECK(result == 0 || result == FAN_E_PROTOCOL);
    FUZZ_CHECK(a.on == (answer[0] != '\0') && (result == 0 || !a.on));
    if (!a.on)
        return;
    FUZZ_CHECK(slice_starts(slice_from(answer), "permessage-deflate; server_no_context_takeover"));
    FUZZ_CHECK(a.client_window_bits >= 8 && a.client_window_bits <= 15);
    FUZZ_CHECK(a.server_window_bits >= (wishes & WS_DEFLATE_ANY_WINDOW ? 9 : 15));
    FUZZ_CHECK(a.server_window_bits <= 15);
    FUZZ_CHECK(a.client_no_context == (strstr(answer, "client_no_context_takeover") != NULL));
    /* our own answer is an offer that we accept */
    struct ws_deflate_agreement again;
    char second[192];
    wishes &= WS_DEFLATE_ANY_WINDOW;
    FUZZ_CHECK(ws_deflate_negotiate(slice_from(answer), wishes, &again, second) == 0 && again.on);
    FUZZ_CHECK(slice_is(slice_from(second), answer));
}

/* Two messages in a row; the second may refer to the first. */
static void inflate_twice(struct slice in, int bits, bool reset, size_t cut)
{
    struct ws_inflate *i = ws_inflate_new(bits);
    struct buf out = {0};
    cut = cut < in.len ? cut : in.len;
    if (ws_inflate_message(i, slice_of(in.ptr, cut), reset, LIMIT, &out) == 0) {
        FUZZ_CHECK(out.len <= LIMIT && out.cap <= LIMIT);
        size_t first = out.len;
        int result = ws_inflate_message(i, slice_skip(in, cut), reset, LIMIT, &out);
        FUZZ_CHECK(out.len - first <= LIMIT && (result == 0 || out.len == first));
    } else {
        FUZZ_CHECK(out.len == 0);
    }
    buf_fini(&out);
    ws_inflate_free(i);
}

static void round_trip(struct slice in, int level)
{
    static struct ws_deflate *compressors[10];
    if (!compressors[level])
        compressors[level] = ws_deflate_new(level);
    struct ws_inflate *i = ws_inflate_new(15);
    struct buf packed = {0};
    struct buf plain = {0};
    FUZZ_CHECK(ws_deflate_message(compressors[level], in, &packed) == 0);
    FUZZ_CHECK(ws_inflate_message(i, buf_slice(&packed), true, in.len, &plain) == 0);
    FUZZ_CHECK(slice_equal(buf_slice(&plain), in));
    if (in.len) {
        buf_clear(&plain);
        FUZZ_CHECK(ws_inflate_message(i, buf_slice(&packed), true, in.len - 1, &plain) ==
                   FAN_E_TOO_LARGE);
    }
    buf_fini(&packed);
    buf_fini(&plain);
    ws_inflate_free(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of((const char *)data, size);
    uint8_t choice[2];
    if (!fuzz_take(&in, sizeof choice, choice))
        return 0;
    switch (choice[0] & 3) {
    case 0:
        negotiate(in, choice[0] >> 2 & (WS_DEFLATE_CLIENT_ANEW | WS_DEFLATE_ANY_WINDOW));
        break;
    case 1:
        round_trip(in, 1 + (choice[0] >> 2) % 9);
        break;
    default:
        inflate_twice(in, 8 + (choice[0] >> 2 & 7), choice[0] & 32, choice[1]);
        break;
    }
    return 0;
}
