/*
 * WebSocket frames in. Every script is fed whole, cut in two at every position, and byte by byte:
 * what the reader reports must be the same.
 */
#include "../test.h"

#include <stdio.h>
#include <zlib.h>

#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/websocket.h"
#include "fanfare/error.h"

enum { FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10 };

static const struct ws_reader_config server = {.max_message = 1024};
static const struct ws_reader_config client = {.max_message = 1024, .client = true};
static const struct ws_reader_config deflating = {
    .max_message = 1024, .deflate = true, .window_bits = 15};
static const struct ws_reader_config anew = {
    .max_message = 1024, .deflate = true, .window_bits = 15, .peer_no_context = true};

/* ---- Writing scripts ---- */

/* A frame with the given first byte: masked as a client's, or not. */
static void add_frame(struct buf *in, int first, struct slice payload, bool masked)
{
    static const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D};
    uint8_t header[WS_HEADER_MAX];
    size_t size = ws_header_write(header, WS_TEXT, true, false, payload.len, masked ? mask : NULL);
    header[0] = (uint8_t)first;
    buf_append(in, header, size);
    size_t at = in->len;
    buf_append_slice(in, payload);
    if (masked)
        ws_mask(in->data + at, payload.len, mask, 0);
}

static void add(struct buf *in, int first, struct slice payload)
{
    add_frame(in, first, payload, true);
}

/* ---- Reading scripts ---- */

struct outcome {
    struct buf trace;
    int result;
    uint16_t code;
    const char *why;
    int stop_after; /* messages; 0: never */
};

static int note(struct outcome *o, const char *what, unsigned code, struct slice payload)
{
    buf_printf(&o->trace, "%s", what);
    if (code)
        buf_printf(&o->trace, " %u", code);
    if (payload.len > 40)
        buf_printf(&o->trace, " (%zu)|", payload.len);
    else
        buf_printf(&o->trace, " %.*s|", SLICE_ARG(payload));
    return 0;
}

static int on_message(void *arg, enum ws_opcode opcode, struct slice payload)
{
    struct outcome *o = arg;
    assert_true(opcode != WS_TEXT || utf8_valid(payload));
    note(o, opcode == WS_TEXT ? "text" : "binary", 0, payload);
    return o->stop_after && --o->stop_after == 0 ? 7 : 0;
}

static int on_control(void *arg, enum ws_opcode opcode, uint16_t code, struct slice payload)
{
    return note(arg,
                opcode == WS_PING   ? "ping"
                : opcode == WS_PONG ? "pong"
                                    : "close",
                code, payload);
}

static const struct ws_reader_ops ops = {.message = on_message, .control = on_control};

/* Feeds a piece from a buffer of its own size, so that a sanitizer sees reads past it. */
static int feed(struct ws_reader *r, const struct ws_reader_config *config, struct outcome *o,
                struct slice piece)
{
    char *copy = malloc(piece.len ? piece.len : 1);
    if (piece.len)
        memcpy(copy, piece.ptr, piece.len);
    o->result = ws_reader_feed(r, config, &ops, o, copy, piece.len, &o->code, &o->why);
    free(copy);
    return o->result;
}

/* pieces: sizes of all but the last piece; 0 ends the list. */
static struct outcome read_cut(struct slice in, const struct ws_reader_config *config, size_t first,
                               size_t step)
{
    struct outcome o = {0};
    struct ws_reader r;
    ws_reader_init(&r);
    size_t n = first;
    while (in.len && o.result == 0) {
        n = n < in.len && n ? n : in.len;
        feed(&r, config, &o, slice_of(in.ptr, n));
        in = slice_skip(in, n);
        n = step;
    }
    if (o.result)
        assert_int_equal(ws_reader_held(&r), 0);
    ws_reader_fini(&r);
    return o;
}

static void check_same(const struct outcome *a, struct outcome *b)
{
    assert_int_equal(a->result, b->result);
    assert_int_equal(a->code, b->code);
    assert_true(slice_equal(buf_slice(&a->trace), buf_slice(&b->trace)));
    buf_fini(&b->trace);
}

/* Reads the script in every way; frees it. */
static void check(struct buf *in, const struct ws_reader_config *config, const char *trace,
                  int result, uint16_t code)
{
    struct slice bytes = buf_slice(in);
    struct outcome whole = read_cut(bytes, config, 0, 0);
    if (strcmp(buf_text(&whole.trace), trace) != 0 || whole.result != result || whole.code != code)
        fail_msg("\"%s\", %s, %u (%s)", buf_text(&whole.trace), fan_error_name(whole.result),
                 whole.code, whole.why ? whole.why : "");
    assert_true(result >= 0 || whole.why);
    for (size_t at = 1; at < bytes.len; at++) {
        struct outcome cut = read_cut(bytes, config, at, 0);
        check_same(&whole, &cut);
    }
    for (size_t step = 1; step < 20; step++) {
        struct outcome pieces = read_cut(bytes, config, step, step);
        check_same(&whole, &pieces);
    }
    buf_fini(&whole.trace);
    buf_fini(in);
}

static void check_ok(struct buf *in, const struct ws_reader_config *config, const char *trace)
{
    check(in, config, trace, 0, 0);
}

/* One frame with the given first byte and payload breaks the protocol. */
static void check_refused(int first, struct slice payload, uint16_t code)
{
    struct buf in = {0};
    add(&in, first, payload);
    check(&in, &server, "", FAN_E_PROTOCOL, code);
}

/* ---- Framing ---- */

static void test_single_frames(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | WS_TEXT, SLICE("Hello"));
    add(&in, FIN | WS_BINARY, SLICE("\xFF\xFE"));
    add(&in, FIN | WS_TEXT, SLICE(""));
    add(&in, FIN | WS_BINARY, SLICE(""));
    add(&in, FIN | WS_TEXT, SLICE("\xCE\xBA\xE1\xBD\xB9"));
    check_ok(&in, &server, "text Hello|binary \xFF\xFE|text |binary |text \xCE\xBA\xE1\xBD\xB9|");
}

static void test_the_examples_of_the_rfc(void **state)
{
    (void)state;
    struct buf in = {0}; /* 5.7: masked, as a server reads it */
    buf_append_slice(&in, SLICE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
    buf_append_slice(&in, SLICE("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"));
    check_ok(&in, &server, "text Hello|pong Hello|");
    /* unmasked, as a client reads it: single, fragmented, ping */
    buf_append_slice(&in, SLICE("\x81\x05\x48\x65\x6c\x6c\x6f\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f"
                                "\x89\x05\x48\x65\x6c\x6c\x6f"));
    check_ok(&in, &client, "text Hello|text Hello|ping Hello|");
}

static void test_lengths_of_all_forms(void **state)
{
    (void)state;
    static char payload[70000];
    memset(payload, 'x', sizeof payload);
    struct ws_reader_config config = server;
    config.max_message = 70000;
    static const size_t lengths[] = {125, 126, 127, 128, 255, 256};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct buf in = {0};
        char trace[32];
        add(&in, FIN | WS_TEXT, slice_of(payload, lengths[i]));
        snprintf(trace, sizeof trace, "text (%zu)|", lengths[i]);
        check_ok(&in, &config, trace);
    }
    static const size_t large[] = {65535, 65536, 70000};
    for (size_t i = 0; i < 3; i++) {
        struct buf in = {0};
        char trace[32];
        add(&in, FIN | WS_BINARY, slice_of(payload, large[i]));
        snprintf(trace, sizeof trace, "binary (%zu)|", large[i]);
        for (size_t cut = 1; cut < 20; cut++) {
            struct outcome o = read_cut(buf_slice(&in), &config, cut, 997);
            assert_int_equal(o.result, 0);
            assert_string_equal(buf_text(&o.trace), trace);
            buf_fini(&o.trace);
        }
        buf_fini(&in);
    }
}

static void test_fragmented_messages(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("Hel"));
    add(&in, WS_CONTINUATION, SLICE(""));
    add(&in, WS_CONTINUATION, SLICE("lo "));
    add(&in, FIN | WS_CONTINUATION, SLICE("world"));
    add(&in, WS_BINARY, SLICE(""));
    add(&in, FIN | WS_CONTINUATION, SLICE(""));
    add(&in, FIN | WS_TEXT, SLICE("next"));
    check_ok(&in, &server, "text Hello world|binary |text next|");
}

static void test_control_frames_between_fragments(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("one "));
    add(&in, FIN | WS_PING, SLICE("p1"));
    add(&in, FIN | WS_PONG, SLICE(""));
    add(&in, WS_CONTINUATION, SLICE("two "));
    add(&in, FIN | WS_PING, SLICE("p2"));
    add(&in, FIN | WS_CONTINUATION, SLICE("three"));
    check_ok(&in, &server, "ping p1|pong |ping p2|text one two three|");
}

static void test_close_between_fragments(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("one "));
    add(&in, FIN | WS_CLOSE, SLICE("\x03\xE9"));
    add(&in, FIN | WS_CONTINUATION, SLICE("two"));
    check_ok(&in, &server, "close 1001 |");
}

static void test_control_payload_of_125_bytes(void **state)
{
    (void)state;
    char payload[125];
    memset(payload, 'p', sizeof payload);
    struct buf in = {0};
    add(&in, FIN | WS_PING, slice_of(payload, 125));
    check_ok(&in, &server, "ping (125)|");
}

static void test_long_control_frames_are_refused(void **state)
{
    (void)state;
    char payload[126];
    memset(payload, 'p', sizeof payload);
    check_refused(FIN | WS_PING, slice_of(payload, 126), 1002);
    check_refused(FIN | WS_PONG, slice_of(payload, 126), 1002);
    check_refused(FIN | WS_CLOSE, slice_of(payload, 126), 1002);
    struct buf in = {0}; /* the 64-bit form: found without reading the length */
    buf_append_slice(&in, SLICE("\x89\xFF"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
}

static void test_fragmented_control_frames_are_refused(void **state)
{
    (void)state;
    check_refused(WS_PING, SLICE("x"), 1002);
    check_refused(WS_PONG, SLICE("x"), 1002);
    check_refused(WS_CLOSE, SLICE("\x03\xE8"), 1002);
}

static void test_reserved_bits_are_refused(void **state)
{
    (void)state;
    static const int bits[] = {
        RSV1, RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3, RSV2 | RSV3, RSV1 | RSV2 | RSV3};
    static const int opcodes[] = {WS_TEXT, WS_BINARY, WS_PING, WS_PONG, WS_CLOSE};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        for (size_t k = 0; k < sizeof opcodes / sizeof *opcodes; k++)
            check_refused(FIN | bits[i] | opcodes[k], SLICE(""), 1002);
    struct buf in = {0}; /* compression agreed: RSV2 and RSV3 stay reserved */
    add(&in, FIN | RSV2 | WS_TEXT, SLICE("x"));
    check(&in, &deflating, "", FAN_E_PROTOCOL, 1002);
}

static void test_reserved_opcodes_are_refused(void **state)
{
    (void)state;
    for (int opcode = 0; opcode < 16; opcode++)
        if ((opcode >= 3 && opcode <= 7) || opcode >= 11)
            check_refused(FIN | opcode, SLICE(""), 1002);
}

static void test_messages_before_an_error_are_delivered(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | WS_TEXT, SLICE("fine"));
    add(&in, FIN | WS_PING, SLICE(""));
    add(&in, FIN | 5, SLICE(""));
    add(&in, FIN | WS_TEXT, SLICE("never"));
    check(&in, &server, "text fine|ping |", FAN_E_PROTOCOL, 1002);
}

static void test_continuation_without_message_is_refused(void **state)
{
    (void)state;
    check_refused(FIN | WS_CONTINUATION, SLICE("x"), 1002);
    check_refused(WS_CONTINUATION, SLICE("x"), 1002);
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("a"));
    add(&in, FIN | WS_CONTINUATION, SLICE("b"));
    add(&in, FIN | WS_CONTINUATION, SLICE("c"));
    check(&in, &server, "text ab|", FAN_E_PROTOCOL, 1002);
}

static void test_new_message_inside_a_message_is_refused(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("a"));
    add(&in, FIN | WS_TEXT, SLICE("b"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
    add(&in, WS_BINARY, SLICE("a"));
    add(&in, WS_BINARY, SLICE("b"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
}

static void test_unmasked_client_frames_are_refused(void **state)
{
    (void)state;
    struct buf in = {0};
    add_frame(&in, FIN | WS_TEXT, SLICE("x"), false);
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
    add_frame(&in, FIN | WS_CLOSE, SLICE(""), false);
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
}

static void test_masked_server_frames_are_refused(void **state)
{
    (void)state;
    struct buf in = {0};
    add_frame(&in, FIN | WS_TEXT, SLICE("x"), true);
    check(&in, &client, "", FAN_E_PROTOCOL, 1002);
}

static void test_client_reads_unmasked_frames(void **state)
{
    (void)state;
    struct buf in = {0};
    add_frame(&in, FIN | WS_TEXT, SLICE("from the server"), false);
    add_frame(&in, WS_BINARY, SLICE("1"), false);
    add_frame(&in, FIN | WS_PING, SLICE("2"), false);
    add_frame(&in, FIN | WS_CONTINUATION, SLICE("3"), false);
    check_ok(&in, &client, "text from the server|ping 2|binary 13|");
}

static void test_lengths_must_be_shortest(void **state)
{
    (void)state;
    struct buf in = {0};
    buf_append_slice(&in, SLICE("\x81\xFE\x00\x05\0\0\0\0Hello"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
    buf_append_slice(&in, SLICE("\x81\xFE\x00\x7D"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
    buf_append_slice(&in, SLICE("\x81\xFF\0\0\0\0\0\0\x00\x05"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
    buf_append_slice(&in, SLICE("\x81\xFF\0\0\0\0\0\0\xFF\xFF"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
}

static void test_length_with_the_highest_bit_is_refused(void **state)
{
    (void)state;
    struct buf in = {0};
    buf_append_slice(&in, SLICE("\x81\xFF\x80\0\0\0\0\0\0\0"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
    buf_append_slice(&in, SLICE("\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1002);
}

/* ---- Text (8.1) ---- */

static void test_invalid_text_is_refused(void **state)
{
    (void)state;
    check_refused(FIN | WS_TEXT, SLICE("\xFF"), 1007);
    check_refused(FIN | WS_TEXT, SLICE("\xCE\xBA\xED\xA0\x80 edited"), 1007);
    check_refused(FIN | WS_TEXT, SLICE("\xC0\xAF"), 1007);
    check_refused(FIN | WS_TEXT, SLICE("\xF4\x90\x80\x80"), 1007);
    check_refused(FIN | WS_TEXT, SLICE("cut \xE2\x82"), 1007);
}

static void test_text_may_be_cut_inside_a_code_point(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("\xF0"));
    add(&in, WS_CONTINUATION, SLICE("\x9D\x84"));
    add(&in, FIN | WS_CONTINUATION, SLICE("\x9E!"));
    check_ok(&in, &server, "text \xF0\x9D\x84\x9E!|");
    add(&in, WS_TEXT, SLICE("\xF0\x9D"));
    add(&in, FIN | WS_CONTINUATION, SLICE("\x84"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1007);
    add(&in, WS_TEXT, SLICE("\xF0\x9D"));
    add(&in, FIN | WS_CONTINUATION, SLICE("x"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1007);
}

/* The frame announces 100 bytes; the error must show with the byte that makes it certain. */
static void test_invalid_text_is_found_in_mid_frame(void **state)
{
    (void)state;
    char payload[100];
    memset(payload, 'x', sizeof payload);
    memcpy(payload + 10, "\xF4\x90", 2);
    struct buf in = {0};
    add(&in, FIN | WS_TEXT, slice_of(payload, sizeof payload));
    for (size_t step = 1; step <= 6 + 12; step++) {
        struct outcome o = {0};
        struct ws_reader r;
        ws_reader_init(&r);
        for (size_t at = 0; at < 6 + 11; at += step) {
            size_t n = at + step > 6 + 11 ? 6 + 11 - at : step;
            assert_int_equal(feed(&r, &server, &o, slice_of(in.data + at, n)), 0);
        }
        assert_int_equal(feed(&r, &server, &o, slice_of(in.data + 6 + 11, 1)), FAN_E_PROTOCOL);
        assert_int_equal(o.code, 1007);
        ws_reader_fini(&r);
    }
    buf_fini(&in);
}

static void test_invalid_text_is_found_in_mid_message(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("fine"));
    add(&in, WS_CONTINUATION, SLICE("\xFF"));
    check(&in, &server, "", FAN_E_PROTOCOL, 1007);
}

static void test_binary_may_hold_anything(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_BINARY, SLICE("\xFF\xFE"));
    add(&in, FIN | WS_CONTINUATION, SLICE("\x80"));
    check_ok(&in, &server, "binary \xFF\xFE\x80|");
}

/* ---- Close (5.5.1, 7.4) ---- */

static void test_close_with_code_and_reason(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | WS_CLOSE,
        SLICE("\x03\xE8"
              "going \xE2\x82\xAC"));
    check_ok(&in, &server, "close 1000 going \xE2\x82\xAC|");
    add(&in, FIN | WS_CLOSE, SLICE(""));
    check_ok(&in, &server, "close 1005 |");
}

static void test_close_payload_of_one_byte_is_refused(void **state)
{
    (void)state;
    check_refused(FIN | WS_CLOSE, SLICE("\x03"), 1002);
}

static void test_close_codes(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 65536; code += code < 5100 ? 1 : 977) {
        bool valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                     (code >= 3000 && code <= 4999);
        char payload[2] = {(char)(code >> 8), (char)code};
        struct buf in = {0};
        add(&in, FIN | WS_CLOSE, slice_of(payload, 2));
        struct outcome o = read_cut(buf_slice(&in), &server, 0, 0);
        assert_int_equal(o.result, valid ? 0 : FAN_E_PROTOCOL);
        assert_int_equal(o.code, valid ? 0 : 1002);
        buf_fini(&o.trace);
        buf_fini(&in);
    }
}

static void test_close_reason_must_be_utf8(void **state)
{
    (void)state;
    check_refused(FIN | WS_CLOSE, SLICE("\x03\xE8\xFF"), 1007);
    check_refused(FIN | WS_CLOSE, SLICE("\x03\xE8 \xE2\x82"), 1007);
}

static void test_bytes_after_close_are_ignored(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | WS_CLOSE, SLICE("\x03\xE8"));
    add(&in, FIN | WS_TEXT, SLICE("late"));
    add(&in, FIN | WS_CLOSE, SLICE(""));
    buf_append_slice(&in, SLICE("\xFF\xFF\xFF\xFF"));
    check_ok(&in, &server, "close 1000 |");
}

/* ---- Limits ---- */

static void check_too_large(struct buf *in, const struct ws_reader_config *config)
{
    check(in, config, "", FAN_E_TOO_LARGE, 1009);
}

static void test_large_messages_are_found_from_the_header(void **state)
{
    (void)state;
    struct buf in = {0};
    buf_append_slice(&in, SLICE("\x81\xFE\x04\x01")); /* 1,025 bytes; not even the mask is there */
    check_too_large(&in, &server);
    buf_append_slice(&in, SLICE("\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
    check_too_large(&in, &server);
}

static void test_message_of_just_the_limit(void **state)
{
    (void)state;
    char payload[1024];
    memset(payload, 'x', sizeof payload);
    struct buf in = {0};
    add(&in, FIN | WS_TEXT, slice_of(payload, 1024));
    check_ok(&in, &server, "text (1024)|");
    add(&in, WS_TEXT, slice_of(payload, 1000));
    add(&in, FIN | WS_PING, slice_of(payload, 100));
    add(&in, FIN | WS_CONTINUATION, slice_of(payload, 24));
    check_ok(&in, &server, "ping (100)|text (1024)|");
}

static void test_fragments_count_together(void **state)
{
    (void)state;
    char payload[1000];
    memset(payload, 'x', sizeof payload);
    struct buf in = {0};
    add(&in, WS_TEXT, slice_of(payload, 1000));
    buf_append_slice(&in, SLICE("\x80\x99")); /* 25 more are announced */
    check_too_large(&in, &server);
    for (int i = 0; i < 12; i++)
        add(&in, i ? WS_CONTINUATION : WS_BINARY, slice_of(payload, 100));
    check_too_large(&in, &server);
}

static void test_control_frames_do_not_count(void **state)
{
    (void)state;
    struct ws_reader_config tiny = {.max_message = 1};
    struct buf in = {0};
    add(&in, FIN | WS_PING, SLICE("longer"));
    add(&in, FIN | WS_TEXT, SLICE("x"));
    add(&in, FIN | WS_TEXT, SLICE("xy"));
    check(&in, &tiny, "ping longer|text x|", FAN_E_TOO_LARGE, 1009);
}

/* ---- Memory ---- */

struct place {
    const char *data;
    size_t size;
    struct ws_reader *reader;
    int calls;
};

static int expect_inside(void *arg, enum ws_opcode opcode, struct slice payload)
{
    struct place *p = arg;
    (void)opcode;
    assert_true(payload.ptr >= p->data && payload.ptr + payload.len <= p->data + p->size);
    assert_int_equal(ws_reader_held(p->reader), 0);
    p->calls++;
    return 0;
}

static void test_whole_messages_are_not_copied(void **state)
{
    (void)state;
    const struct ws_reader_ops inside = {.message = expect_inside};
    struct buf in = {0};
    struct ws_reader r;
    uint16_t code;
    const char *why;
    add(&in, FIN | WS_TEXT, SLICE("one"));
    add(&in, FIN | WS_BINARY, SLICE("two"));
    ws_reader_init(&r);
    struct place place = {in.data, in.len, &r, 0};
    memory_fail_nth(1);
    assert_int_equal(ws_reader_feed(&r, &server, &inside, &place, in.data, in.len, &code, &why), 0);
    memory_fail_nth(0);
    assert_int_equal(place.calls, 2);
    assert_int_equal(ws_reader_held(&r), 0);
    ws_reader_fini(&r);
    buf_fini(&in);
}

static void test_announced_length_allocates_nothing(void **state)
{
    (void)state;
    struct ws_reader_config generous = {.max_message = 1u << 30};
    struct ws_reader r;
    struct outcome o = {0};
    ws_reader_init(&r);
    assert_int_equal(feed(&r, &generous, &o, SLICE("\x82\xFF\0\0\0\0\x3F\0\0\0mask0123456789")), 0);
    assert_true(ws_reader_held(&r) > 0);
    assert_true(ws_reader_held(&r) < 1024);
    ws_reader_fini(&r);
}

static void test_idle_reader_holds_nothing(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("a"));
    add(&in, FIN | WS_PING, SLICE("b"));
    add(&in, FIN | WS_CONTINUATION, SLICE("c"));
    struct ws_reader r;
    struct outcome o = {0};
    ws_reader_init(&r);
    for (size_t i = 0; i < in.len; i++) {
        assert_int_equal(feed(&r, &server, &o, slice_of(in.data + i, 1)), 0);
        assert_int_equal(ws_reader_held(&r) == 0, i + 1 == in.len);
    }
    assert_null(r.partial);
    assert_null(r.inflate);
    ws_reader_fini(&r);
    buf_fini(&in);
    buf_fini(&o.trace);
}

static void test_reader_can_be_released_in_the_middle(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, WS_TEXT, SLICE("message"));
    add(&in, FIN | WS_PING, SLICE("control"));
    for (size_t n = 0; n <= in.len; n++) {
        struct ws_reader r;
        struct outcome o = {0};
        ws_reader_init(&r);
        feed(&r, &server, &o, slice_of(in.data, n));
        ws_reader_fini(&r);
        ws_reader_fini(&r);
        buf_fini(&o.trace);
    }
    buf_fini(&in);
}

static int quiet_message(void *arg, enum ws_opcode opcode, struct slice payload)
{
    (void)opcode;
    (void)payload;
    ++*(int *)arg;
    return 0;
}

static int quiet_control(void *arg, enum ws_opcode opcode, uint16_t code, struct slice payload)
{
    (void)code;
    return quiet_message(arg, opcode, payload);
}

/* Feeds the bytes in pieces with allocation `nth` failing. True when nothing failed. */
static bool survives(struct slice in, const struct ws_reader_config *config, size_t step,
                     unsigned nth)
{
    const struct ws_reader_ops quiet = {quiet_message, quiet_control};
    struct ws_reader r;
    uint16_t code = 0;
    const char *why = NULL;
    int calls = 0;
    int result = 0;
    char *copy = malloc(in.len);
    memcpy(copy, in.ptr, in.len);
    ws_reader_init(&r);
    memory_fail_nth(nth);
    for (size_t at = 0; at < in.len && result == 0; at += step) {
        size_t n = at + step > in.len ? in.len - at : step;
        result = ws_reader_feed(&r, config, &quiet, &calls, copy + at, n, &code, &why);
    }
    memory_fail_nth(0);
    ws_reader_fini(&r);
    free(copy);
    if (result) {
        assert_int_equal(result, FAN_E_NO_MEMORY);
        assert_int_equal(code, 1011);
        assert_non_null(why);
    }
    return result == 0;
}

static void walk_failures(struct buf *in, const struct ws_reader_config *config)
{
    for (size_t step = 1; step <= in->len; step += step < 8 ? 1 : 13) {
        unsigned nth = 1;
        while (!survives(buf_slice(in), config, step, nth))
            assert_true(++nth < 1000);
    }
    buf_fini(in);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    char payload[300];
    memset(payload, 'x', sizeof payload);
    struct buf in = {0};
    add(&in, FIN | WS_PING, SLICE("ping"));
    add(&in, WS_TEXT, slice_of(payload, sizeof payload));
    add(&in, FIN | WS_PING, SLICE("ping"));
    add(&in, FIN | WS_CONTINUATION, slice_of(payload, sizeof payload));
    walk_failures(&in, &server);
}

/* ---- Callbacks ---- */

static void test_callback_stops_the_reader(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | WS_TEXT, SLICE("one"));
    add(&in, FIN | WS_TEXT, SLICE("two"));
    add(&in, FIN | WS_TEXT, SLICE("three"));
    struct ws_reader r;
    struct outcome o = {.stop_after = 2};
    ws_reader_init(&r);
    assert_int_equal(feed(&r, &server, &o, buf_slice(&in)), 7);
    assert_string_equal(buf_text(&o.trace), "text one|text two|");
    ws_reader_fini(&r);
    buf_fini(&o.trace);
    buf_fini(&in);
}

static int release_reader(void *arg, enum ws_opcode opcode, struct slice payload)
{
    (void)opcode;
    (void)payload;
    struct ws_reader *r = arg;
    ws_reader_fini(r);
    free(r);
    return 1;
}

static int release_reader_on_control(void *arg, enum ws_opcode opcode, uint16_t code,
                                     struct slice payload)
{
    (void)code;
    return release_reader(arg, opcode, payload);
}

static void test_callback_may_release_the_reader(void **state)
{
    (void)state;
    const struct ws_reader_ops releasing = {release_reader, release_reader_on_control};
    static const int firsts[] = {FIN | WS_TEXT, FIN | WS_PING, FIN | WS_CLOSE};
    for (size_t i = 0; i < 3; i++) {
        struct buf in = {0};
        add(&in, firsts[i],
            SLICE("\x03\xE8"
                  "abc"));
        add(&in, FIN | WS_TEXT, SLICE("more"));
        if (i == 0)
            in.data[0] = (char)(FIN | WS_BINARY);
        for (size_t cut = 0; cut < 11; cut++) {
            struct ws_reader *r = malloc(sizeof *r);
            struct buf copy = {0};
            uint16_t code;
            const char *why;
            buf_append_slice(&copy, buf_slice(&in));
            ws_reader_init(r);
            assert_int_equal(ws_reader_feed(r, &server, &releasing, r, copy.data, cut, &code, &why),
                             0);
            assert_int_equal(ws_reader_feed(r, &server, &releasing, r, copy.data + cut,
                                            copy.len - cut, &code, &why),
                             1);
            buf_fini(&copy);
        }
        buf_fini(&in);
    }
}

/* ---- Compressed messages (RFC 7692) ---- */

/* What a client's compressor makes of a message; the state goes on from message to message. */
struct compressor {
    z_stream zlib;
    char out[4096];
};

static void compressor_init(struct compressor *c, int bits)
{
    *c = (struct compressor){0};
    assert_int_equal(deflateInit2(&c->zlib, 9, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

static struct slice compress_message(struct compressor *c, struct slice message)
{
    c->zlib.next_in = (unsigned char *)message.ptr;
    c->zlib.avail_in = (unsigned)message.len;
    c->zlib.next_out = (unsigned char *)c->out;
    c->zlib.avail_out = sizeof c->out;
    assert_int_equal(deflate(&c->zlib, Z_SYNC_FLUSH), Z_OK);
    size_t size = sizeof c->out - c->zlib.avail_out;
    assert_memory_equal(c->out + size - 4, "\0\0\xFF\xFF", 4);
    return slice_of(c->out, size - 4);
}

/* 7.2.3.1 to 7.2.3.4 and 7.2.3.6 */
static void test_compressed_examples_of_the_rfc(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"));
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\xf2\x00\x11\x00\x00")); /* shares the window */
    check_ok(&in, &deflating, "text Hello|text Hello|");
    add(&in, RSV1 | WS_TEXT, SLICE("\xf2\x48\xcd"));
    add(&in, FIN | WS_CONTINUATION, SLICE("\xc9\xc9\x07\x00"));
    check_ok(&in, &deflating, "text Hello|");
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"));
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"));
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"));
    check_ok(&in, &deflating, "text Hello|text Hello|text Hello|");
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\x00"));
    check_ok(&in, &deflating, "text |");
}

static void test_compressed_messages_with_context(void **state)
{
    (void)state;
    struct compressor c;
    struct buf in = {0};
    compressor_init(&c, 15);
    for (int i = 0; i < 3; i++)
        add(&in, FIN | RSV1 | WS_TEXT, compress_message(&c, SLICE("the same words again")));
    add(&in, FIN | WS_TEXT, SLICE("not compressed"));
    add(&in, FIN | RSV1 | WS_BINARY, compress_message(&c, SLICE("the same words again")));
    deflateEnd(&c.zlib);
    struct buf copy = {0};
    buf_append_slice(&copy, buf_slice(&in));
    check_ok(&in, &deflating,
             "text the same words again|text the same words again|text the same words again|"
             "text not compressed|binary the same words again|");
    /* A peer that had promised to start anew refers to what is not there any more. */
    check(&copy, &anew, "text the same words again|", FAN_E_PROTOCOL, 1007);
}

static void test_compressed_messages_without_context(void **state)
{
    (void)state;
    struct compressor c;
    struct buf in = {0};
    compressor_init(&c, 15);
    for (int i = 0; i < 2; i++) {
        deflateReset(&c.zlib);
        add(&in, FIN | RSV1 | WS_TEXT, compress_message(&c, SLICE("the same words again")));
    }
    deflateEnd(&c.zlib);
    struct ws_reader r;
    struct outcome o = {0};
    ws_reader_init(&r);
    assert_int_equal(feed(&r, &anew, &o, buf_slice(&in)), 0);
    assert_null(r.inflate);
    ws_reader_fini(&r);
    buf_fini(&o.trace);
    check_ok(&in, &anew, "text the same words again|text the same words again|");
}

static void test_compressed_fragments_with_control_frames(void **state)
{
    (void)state;
    struct compressor c;
    struct buf in = {0};
    compressor_init(&c, 15);
    struct slice packed = compress_message(&c, SLICE("a message in three fragments"));
    add(&in, RSV1 | WS_TEXT, slice_of(packed.ptr, 5));
    add(&in, FIN | WS_PING, SLICE("p"));
    add(&in, WS_CONTINUATION, slice_of(packed.ptr + 5, 5));
    add(&in, FIN | WS_CONTINUATION, slice_skip(packed, 10));
    deflateEnd(&c.zlib);
    check_ok(&in, &deflating, "ping p|text a message in three fragments|");
}

static void test_rsv1_only_where_a_message_begins(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, RSV1 | WS_TEXT, SLICE("\xf2\x48\xcd"));
    add(&in, FIN | RSV1 | WS_CONTINUATION, SLICE("\xc9\xc9\x07\x00"));
    check(&in, &deflating, "", FAN_E_PROTOCOL, 1002);
    static const int opcodes[] = {WS_PING, WS_PONG, WS_CLOSE};
    for (size_t i = 0; i < 3; i++) {
        add(&in, FIN | RSV1 | opcodes[i], SLICE(""));
        check(&in, &deflating, "", FAN_E_PROTOCOL, 1002);
    }
}

static void test_compressed_text_must_be_utf8(void **state)
{
    (void)state;
    struct compressor c;
    struct buf in = {0};
    compressor_init(&c, 15);
    add(&in, FIN | RSV1 | WS_TEXT, compress_message(&c, SLICE("\xCE\xBA\xED\xA0\x80")));
    deflateEnd(&c.zlib);
    check(&in, &deflating, "", FAN_E_PROTOCOL, 1007);
}

static void test_broken_compressed_data_is_refused(void **state)
{
    (void)state;
    static const struct slice broken[] = {{"\xff\xff\xff\xff", 4},
                                          {"\xf2\x48\xcd", 3},
                                          {"\x00\x05\x00\x00\x00", 5},
                                          {"\xf2\x48\xcd\xc9\xc9\x07", 6}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct buf in = {0};
        add(&in, FIN | RSV1 | WS_BINARY, broken[i]);
        check(&in, &deflating, "", FAN_E_PROTOCOL, 1007);
    }
}

static void test_empty_compressed_messages(void **state)
{
    (void)state;
    struct buf in = {0};
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\x00")); /* 7.2.3.6 */
    add(&in, FIN | RSV1 | WS_BINARY, SLICE(""));   /* sent by some peers */
    add(&in, FIN | RSV1 | WS_TEXT, SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"));
    check_ok(&in, &deflating, "text |binary |text Hello|");
}

static void test_bombs_are_bounded(void **state)
{
    (void)state;
    static char zeros[1024 * 1024];
    struct compressor c;
    struct buf in = {0};
    compressor_init(&c, 15);
    struct slice bomb = compress_message(&c, slice_of(zeros, sizeof zeros));
    assert_true(bomb.len < 1152);
    add(&in, FIN | RSV1 | WS_BINARY, bomb);
    deflateEnd(&c.zlib);
    memory_fail_above(64 * 1024); /* a bomb that unfolded would run out of memory first */
    check_too_large(&in, &deflating);
    memory_fail_above(0);
}

static void test_compressed_message_of_just_the_limit(void **state)
{
    (void)state;
    char payload[1025];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (char)(i * 7919 >> 3);
    for (size_t size = 1023; size <= 1025; size++) {
        struct compressor c;
        struct buf in = {0};
        compressor_init(&c, 15);
        add(&in, FIN | RSV1 | WS_BINARY, compress_message(&c, slice_of(payload, size)));
        deflateEnd(&c.zlib);
        struct outcome o = read_cut(buf_slice(&in), &deflating, 0, 0);
        assert_int_equal(o.result, size > 1024 ? FAN_E_TOO_LARGE : 0);
        buf_fini(&o.trace);
        buf_fini(&in);
    }
}

/* Empty blocks inflate to nothing, but a peer cannot send them without end. */
static void test_compressed_size_on_the_wire_is_bounded(void **state)
{
    (void)state;
    struct buf in = {0};
    struct buf blocks = {0};
    for (int i = 0; i < 400; i++)
        buf_append_slice(&blocks, SLICE("\x00\x00\x00\xFF\xFF"));
    add(&in, RSV1 | WS_BINARY, slice_of(blocks.data, 1000));
    add(&in, WS_CONTINUATION, slice_of(blocks.data, 1000));
    buf_fini(&blocks);
    check_too_large(&in, &deflating);
}

static void test_smaller_windows_of_the_peer(void **state)
{
    (void)state;
    for (int bits = 9; bits <= 15; bits++) {
        struct ws_reader_config config = deflating;
        config.window_bits = (uint8_t)bits;
        config.max_message = 4096;
        struct compressor c;
        struct buf in = {0};
        char payload[2000];
        for (size_t i = 0; i < sizeof payload; i++)
            payload[i] = (char)('a' + i % 23 + i / 400);
        compressor_init(&c, bits);
        for (int i = 0; i < 3; i++)
            add(&in, FIN | RSV1 | WS_TEXT, compress_message(&c, slice_of(payload, sizeof payload)));
        deflateEnd(&c.zlib);
        check_ok(&in, &config, "text (2000)|text (2000)|text (2000)|");
    }
    struct ws_reader_config eight = deflating;
    eight.window_bits = 8; /* zlib's own compressors use 9 then */
    struct compressor c;
    struct buf in = {0};
    compressor_init(&c, 9);
    add(&in, FIN | RSV1 | WS_TEXT, compress_message(&c, SLICE("Hello")));
    deflateEnd(&c.zlib);
    check_ok(&in, &eight, "text Hello|");
}

static void test_every_allocation_may_fail_when_inflating(void **state)
{
    (void)state;
    struct compressor c;
    char payload[900];
    memset(payload, 'x', sizeof payload);
    for (int with_context = 0; with_context < 2; with_context++) {
        struct buf in = {0};
        compressor_init(&c, 15);
        struct slice packed = compress_message(&c, slice_of(payload, sizeof payload));
        add(&in, RSV1 | WS_TEXT, slice_of(packed.ptr, 4));
        add(&in, FIN | WS_CONTINUATION, slice_skip(packed, 4));
        deflateReset(&c.zlib);
        add(&in, FIN | RSV1 | WS_TEXT, compress_message(&c, SLICE("and another")));
        add(&in, FIN | RSV1 | WS_TEXT, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"));
        deflateEnd(&c.zlib);
        walk_failures(&in, with_context ? &deflating : &anew);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_frames),
        cmocka_unit_test(test_the_examples_of_the_rfc),
        cmocka_unit_test(test_lengths_of_all_forms),
        cmocka_unit_test(test_fragmented_messages),
        cmocka_unit_test(test_control_frames_between_fragments),
        cmocka_unit_test(test_close_between_fragments),
        cmocka_unit_test(test_control_payload_of_125_bytes),
        cmocka_unit_test(test_long_control_frames_are_refused),
        cmocka_unit_test(test_fragmented_control_frames_are_refused),
        cmocka_unit_test(test_reserved_bits_are_refused),
        cmocka_unit_test(test_reserved_opcodes_are_refused),
        cmocka_unit_test(test_messages_before_an_error_are_delivered),
        cmocka_unit_test(test_continuation_without_message_is_refused),
        cmocka_unit_test(test_new_message_inside_a_message_is_refused),
        cmocka_unit_test(test_unmasked_client_frames_are_refused),
        cmocka_unit_test(test_masked_server_frames_are_refused),
        cmocka_unit_test(test_client_reads_unmasked_frames),
        cmocka_unit_test(test_lengths_must_be_shortest),
        cmocka_unit_test(test_length_with_the_highest_bit_is_refused),
        cmocka_unit_test(test_invalid_text_is_refused),
        cmocka_unit_test(test_text_may_be_cut_inside_a_code_point),
        cmocka_unit_test(test_invalid_text_is_found_in_mid_frame),
        cmocka_unit_test(test_invalid_text_is_found_in_mid_message),
        cmocka_unit_test(test_binary_may_hold_anything),
        cmocka_unit_test(test_close_with_code_and_reason),
        cmocka_unit_test(test_close_payload_of_one_byte_is_refused),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_close_reason_must_be_utf8),
        cmocka_unit_test(test_bytes_after_close_are_ignored),
        cmocka_unit_test(test_large_messages_are_found_from_the_header),
        cmocka_unit_test(test_message_of_just_the_limit),
        cmocka_unit_test(test_fragments_count_together),
        cmocka_unit_test(test_control_frames_do_not_count),
        cmocka_unit_test(test_whole_messages_are_not_copied),
        cmocka_unit_test(test_announced_length_allocates_nothing),
        cmocka_unit_test(test_idle_reader_holds_nothing),
        cmocka_unit_test(test_reader_can_be_released_in_the_middle),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_callback_stops_the_reader),
        cmocka_unit_test(test_callback_may_release_the_reader),
        cmocka_unit_test(test_compressed_examples_of_the_rfc),
        cmocka_unit_test(test_compressed_messages_with_context),
        cmocka_unit_test(test_compressed_messages_without_context),
        cmocka_unit_test(test_compressed_fragments_with_control_frames),
        cmocka_unit_test(test_rsv1_only_where_a_message_begins),
        cmocka_unit_test(test_compressed_text_must_be_utf8),
        cmocka_unit_test(test_broken_compressed_data_is_refused),
        cmocka_unit_test(test_empty_compressed_messages),
        cmocka_unit_test(test_bombs_are_bounded),
        cmocka_unit_test(test_compressed_message_of_just_the_limit),
        cmocka_unit_test(test_compressed_size_on_the_wire_is_bounded),
        cmocka_unit_test(test_smaller_windows_of_the_peer),
        cmocka_unit_test(test_every_allocation_may_fail_when_inflating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
