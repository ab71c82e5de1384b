/* Frames that are built in place, and the parts of envelopes that go into them. */
#include "../test.h"

#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/websocket.h"
#include "dialect/client.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"
#include "hub/topic.h"

static void append_payload(struct buf *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf_append_char(out, (char)('a' + i % 26));
}

/* ---- Frames built in place ---- */

/* RFC 6455, 5.2: the shortest header that tells the length. */
static void assert_frame(size_t size, const char *header, size_t header_size)
{
    struct buf out = {0}, expected = {0};
    BUF_LITERAL(&out, "before");
    BUF_LITERAL(&expected, "before");
    size_t begun = frame_begin(&out);
    append_payload(&out, size);
    frame_end(&out, begun);
    buf_append(&expected, header, header_size);
    append_payload(&expected, size);
    assert_int_equal(begun, strlen("before"));
    assert_int_equal(out.len, expected.len);
    assert_memory_equal(out.data, expected.data, expected.len);
    buf_clear(&expected); /* and it is the frame that others write */
    append_payload(&expected, size);
    struct buf whole = {0};
    ws_append_frame(&whole, WS_TEXT, false, buf_slice(&expected));
    assert_int_equal(out.len, begun + whole.len);
    assert_memory_equal(out.data + begun, whole.data, whole.len);
    buf_fini(&whole);
    buf_fini(&expected);
    buf_fini(&out);
}

static void test_header_sizes(void **state)
{
    (void)state;
    assert_frame(0, "\x81\x00", 2);
    assert_frame(1, "\x81\x01", 2);
    assert_frame(125, "\x81\x7d", 2);
    assert_frame(126, "\x81\x7e\x00\x7e", 4);
    assert_frame(127, "\x81\x7e\x00\x7f", 4);
    assert_frame(65535, "\x81\x7e\xff\xff", 4);
    assert_frame(65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
    assert_frame(100000, "\x81\x7f\x00\x00\x00\x00\x00\x01\x86\xa0", 10);
}

static void test_frames_in_a_row(void **state)
{
    (void)state;
    static const char expected[] = "\x81\x02{}\x81\x00\x81\x03"
                                   "abc";
    struct buf out = {0};
    size_t begun = frame_begin(&out);
    BUF_LITERAL(&out, "{}");
    frame_end(&out, begun);
    frame_end(&out, frame_begin(&out));
    begun = frame_begin(&out);
    BUF_LITERAL(&out, "abc");
    frame_end(&out, begun);
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.data, expected, sizeof expected - 1);
    buf_fini(&out);
}

/* Each allocation of a large frame fails once, the one for its longer header included: the buffer
 * tells, and what stood before the frame is whole. */
static void test_no_memory(void **state)
{
    (void)state;
    bool failed = true;
    unsigned nth = 1;
    for (; failed; nth++) {
        struct buf out = {0};
        memory_fail_nth(nth);
        size_t begun = frame_begin(&out);
        append_payload(&out, 65536);
        frame_end(&out, begun);
        memory_fail_nth(0);
        failed = out.failed;
        if (!failed)
            assert_int_equal(out.len, 65536 + 10);
        buf_fini(&out);
    }
    assert_true(nth > 2);
}

static void test_no_room_for_the_header(void **state)
{
    (void)state;
    struct buf out = {.limit = 4 + 65536};
    size_t begun = frame_begin(&out);
    append_payload(&out, 65536);
    assert_false(out.failed);
    frame_end(&out, begun);
    assert_true(out.failed);
    buf_fini(&out);
}

/* ---- Compressed frames ---- */

static void assert_compressed(struct delivery *d, struct slice payload, bool compressed)
{
    struct buf out = {0}, plain = {0};
    frame_append_compressed(d, &out, payload);
    if (compressed) {
        struct ws_inflate *inflate = ws_inflate_new(15);
        size_t header = (uint8_t)out.data[1] < 126 ? 2 : 4;
        assert_int_equal((uint8_t)out.data[0], 0xc1); /* FIN, RSV1 (RFC 7692, 6), text */
        assert_int_equal(ws_inflate_message(inflate, slice_of(out.data + header, out.len - header),
                                            true, payload.len, &plain),
                         0);
        assert_int_equal(plain.len, payload.len);
        assert_memory_equal(plain.data, payload.ptr, payload.len);
        ws_inflate_free(inflate);
    } else {
        ws_append_frame(&plain, WS_TEXT, false, payload);
        assert_int_equal(out.len, plain.len);
        assert_memory_equal(out.data, plain.data, plain.len);
    }
    buf_fini(&plain);
    buf_fini(&out);
}

static void test_compression(void **state)
{
    (void)state;
    const struct delivery_options options = {.deflate_threshold = 100, .deflate_level = 6};
    struct delivery *d = memory_zero(sizeof *d);
    struct buf payload = {0};
    d->options = &options;
    append_payload(&payload, 2000);
    assert_compressed(d, slice_of(payload.data, 99), false);
    assert_null(d->compressor); /* made when first needed */
    assert_compressed(d, slice_of(payload.data, 100), true);
    assert_compressed(d, buf_slice(&payload), true);
    assert_int_equal(d->compressed, 2);
    uint32_t noise = 1;
    for (size_t i = 0; i < 200; i++) { /* what does not get smaller goes as it is */
        noise = noise * 1664525 + 1013904223;
        payload.data[i] = (char)(noise >> 24);
    }
    assert_compressed(d, slice_of(payload.data, 200), false);
    assert_int_equal(d->compressed, 2);
    ws_deflate_free(d->compressor);
    buf_fini(&payload);
    memory_free(d);
}

/* Without memory for compressing, it goes as it is. */
static void test_compression_without_memory(void **state)
{
    (void)state;
    const struct delivery_options options = {.deflate_threshold = 100, .deflate_level = 6};
    struct delivery *d = memory_zero(sizeof *d);
    struct buf payload = {0}, out = {0};
    d->options = &options;
    append_payload(&payload, 2000);
    buf_reserve(&out, 4000);
    frame_append_compressed(d, &out, buf_slice(&payload));
    for (unsigned nth = 1; nth <= 2; nth++) {
        buf_clear(&out);
        memory_fail_nth(nth);
        frame_append_compressed(d, &out, buf_slice(&payload));
        memory_fail_nth(0);
        assert_false(out.failed);
        assert_in_range((uint8_t)out.data[0], 0x81, 0xc1);
    }
    ws_deflate_free(d->compressor);
    buf_fini(&payload);
    buf_fini(&out);
    memory_free(d);
}

/* ---- Envelopes ---- */

static void assert_text(struct buf *out, const char *expected)
{
    assert_string_equal(buf_text(out), expected);
    buf_fini(out);
}

static void test_splicing(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "{\"type\":\"x\"}"},
        {"{ \t\r\n}", "{\"type\":\"x\"}"},
        {"{\"a\":1}", "{\"type\":\"x\",\"a\":1}"},
        {"{ \"a\" : 1 , \"b\":[ ] \n}", "{\"type\":\"x\",\"a\" : 1 , \"b\":[ ]}"},
        {"{\"a\":{}}", "{\"type\":\"x\",\"a\":{}}"},
        {"{\"a\":\"} \"}", "{\"type\":\"x\",\"a\":\"} \"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        BUF_LITERAL(&out, "{\"type\":\"x\"");
        envelope_spliced(&out, slice_from(cases[i][0]));
        buf_append_char(&out, '}');
        assert_text(&out, cases[i][1]);
    }
}

static void test_quoted(void **state)
{
    (void)state;
    struct buf out = {0};
    envelope_quoted(&out, SLICE("abc"));
    envelope_quoted(&out, SLICE(""));
    assert_text(&out, "\"abc\"\"\"");
    memory_fail_nth(1);
    envelope_quoted(&out, SLICE("abc"));
    memory_fail_nth(0);
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void test_time(void **state)
{
    (void)state;
    struct buf out = {0};
    envelope_time(&out, INT64_C(1767268800123));
    assert_text(&out, "\"2026-01-01T12:00:00.123Z\"");
    envelope_time(&out, 0);
    assert_text(&out, "\"1970-01-01T00:00:00.000Z\"");
}

static void test_position(void **state)
{
    (void)state;
    struct buf out = {0};
    envelope_position(&out, UINT64_C(0x0102030405060708), UINT64_MAX, 0, 42);
    assert_text(&out, "\"epoch\":\"AQIDBAUGBwg\",\"offset\":18446744073709551615,"
                      "\"cursor\":\"AAAAAAAAAAAAAAAAAAAAKg\"");
}

static void test_topic_id(void **state)
{
    (void)state;
    static const struct {
        const char *name, *id;
        enum topic_kind kind;
    } cases[] = {
        {"session:abc", "abc", TOPIC_SESSION},
        {"channel:a:b", "a:b", TOPIC_CHANNEL},
        {"global", "", TOPIC_GLOBAL},
    };
    const struct event_spec spec = {.type = SLICE("x"), .data = SLICE("{}"), .place_count = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct event *e = event_try_new(&spec);
        e->places[0].topic = topic_try_new(slice_from(cases[i].name), cases[i].kind, 1);
        assert_true(slice_is(envelope_topic_id(e, 0), cases[i].id));
        event_unref(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_sizes), cmocka_unit_test(test_frames_in_a_row),
        cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_no_room_for_the_header),
        cmocka_unit_test(test_compression),  cmocka_unit_test(test_compression_without_memory),
        cmocka_unit_test(test_splicing),     cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_time),         cmocka_unit_test(test_position),
        cmocka_unit_test(test_topic_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
