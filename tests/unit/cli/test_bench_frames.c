/* Light reading of a server's frames. */
#include "../test.h"

#include "cli/bench_frames.h"
#include "codec/websocket.h"
#include "fanfare/error.h"

struct seen {
    struct buf text; /* of all messages, each with a newline */
    int stop_at;     /* the message that stops; 0: none */
    int count;
};

static int on_text(void *arg, struct slice payload)
{
    struct seen *s = arg;
    buf_append_slice(&s->text, payload.len > 20 ? slice_of(payload.ptr, 20) : payload);
    buf_append_char(&s->text, '\n');
    return ++s->count == s->stop_at ? 42 : 0;
}

static void append_stream(struct buf *stream)
{
    struct buf large = {0};
    for (int i = 0; i < 70000; i++)
        buf_append_char(&large, 'L');
    ws_append_frame(stream, WS_TEXT, false, SLICE("one"));
    ws_append_frame(stream, WS_PING, false, SLICE("ping"));
    ws_append_frame(stream, WS_TEXT, false, slice_of(large.data, 300));
    ws_append_frame(stream, WS_TEXT, false, SLICE(""));
    ws_append_frame(stream, WS_TEXT, false, buf_slice(&large));
    ws_append_frame(stream, WS_TEXT, false, SLICE("end"));
    buf_fini(&large);
}

/* In pieces of any size the same messages come out, and nothing is kept at the end. */
static void test_pieces(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 100, 65536, 1000000};
    struct buf stream = {0}, why = {0};
    (void)state;
    append_stream(&stream);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bench_frames f = {0};
        struct seen s = {0};
        for (size_t at = 0; at < stream.len; at += sizes[i]) {
            size_t n = stream.len - at < sizes[i] ? stream.len - at : sizes[i];
            assert_int_equal(
                bench_frames_feed(&f, slice_of(stream.data + at, n), on_text, &s, &why), 0);
        }
        assert_int_equal(s.count, 5);
        assert_string_equal(buf_text(&s.text),
                            "one\nLLLLLLLLLLLLLLLLLLLL\n\nLLLLLLLLLLLLLLLLLLLL\nend\n");
        assert_null(f.rest.data);
        bench_frames_fini(&f);
        buf_fini(&s.text);
    }
    buf_fini(&stream);
}

static void test_callback_stops(void **state)
{
    struct buf stream = {0}, why = {0};
    struct bench_frames f = {0};
    struct seen s = {.stop_at = 2};
    (void)state;
    append_stream(&stream);
    assert_int_equal(bench_frames_feed(&f, buf_slice(&stream), on_text, &s, &why), 42);
    assert_int_equal(s.count, 2);
    bench_frames_fini(&f);
    buf_fini(&s.text);
    buf_fini(&stream);
}

static int feed(struct slice data, struct buf *why)
{
    struct bench_frames f = {0};
    struct seen s = {0};
    buf_clear(why);
    int error = bench_frames_feed(&f, data, on_text, &s, why);
    bench_frames_fini(&f);
    buf_fini(&s.text);
    return error;
}

static void test_refused(void **state)
{
    struct buf close = {0}, why = {0};
    (void)state;
    ws_append_close(&close, 1013, SLICE("slow reader"));
    assert_int_equal(feed(buf_slice(&close), &why), FAN_E_CLOSED);
    assert_string_equal(buf_text(&why), "the server closed a connection: 1013 slow reader");
    assert_int_equal(feed(SLICE("\x88\x00"), &why), FAN_E_CLOSED);
    assert_int_equal(feed(SLICE("\x01\x01x"), &why), FAN_E_PROTOCOL); /* a fragment */
    assert_int_equal(feed(SLICE("\xc1\x01x"), &why), FAN_E_PROTOCOL); /* compressed */
    assert_int_equal(feed(SLICE("\x81\x81"), &why), FAN_E_PROTOCOL);  /* masked */
    assert_int_equal(feed(SLICE("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), &why), FAN_E_PROTOCOL);
    buf_fini(&close);
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_callback_stops),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
