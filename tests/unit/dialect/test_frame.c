/* WebSocket frames that are built in place, and parts of envelopes. */
#include "../test.h"

#include "base/memory.h"
#include "codec/deflate.h"
#include "codec/json.h"
#include "codec/websocket.h"
#include "dialect/client.h"
#include "dialect/envelope.h"
#include "dialect/frame.h"

/* A frame of n bytes behind something else, as the codec itself would write it. */
static void assert_frame(size_t n)
{
    struct buf out = {0}, expected = {0}, payload = {0};
    for (size_t i = 0; i < n; i++)
        buf_append_char(&payload, (char)('a' + i % 26));
    BUF_LITERAL(&out, "before");
    BUF_LITERAL(&expected, "before");
    size_t at = frame_begin(&out);
    buf_append_slice(&out, buf_slice(&payload));
    frame_end(&out, at);
    ws_append_frame(&expected, WS_TEXT, false, buf_slice(&payload));
    assert_false(out.failed);
    assert_true(slice_equal(buf_slice(&out), buf_slice(&expected)));
    buf_fini(&out);
    buf_fini(&expected);
    buf_fini(&payload);
}

static void test_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 125, 126, 127, 1000, 65535, 65536, 65537, 300000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        assert_frame(lengths[i]);
}

static void test_frame_without_memory(void **state)
{
    (void)state;
    struct buf out = {0};
    char *large = memory_zero(70000);
    size_t at = frame_begin(&out);
    buf_append(&out, large, 70000);
    buf_append(&out, large, out.cap - out.len); /* no room for the longer header */
    memory_fail_nth(1);
    frame_end(&out, at);
    memory_fail_nth(0);
    assert_true(out.failed);
    memory_free(large);
    buf_fini(&out);
}

static void test_compressed(void **state)
{
    (void)state;
    struct delivery_options options = {.deflate_threshold = 100, .deflate_level = 6};
    struct delivery d = {.options = &options};
    struct buf out = {0}, text = {0}, noise = {0};
    frame_append_compressed(&d, &out, SLICE("short"));
    assert_int_equal(out.data[0], (char)0x81);
    assert_null(d.compressor);
    buf_clear(&out);
    for (unsigned i = 0; i < 100; i++)
        BUF_LITERAL(&text, "the same again ");
    frame_append_compressed(&d, &out, buf_slice(&text));
    assert_int_equal((unsigned char)out.data[0], 0xc1); /* RSV1: compressed */
    assert_true(out.len < text.len / 4);
    assert_int_equal(atomic_load(&d.compressed), 1);
    /* What does not become smaller goes as it is. */
    buf_clear(&out);
    uint64_t x = 1;
    for (unsigned i = 0; i < 200; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        buf_append_char(&noise, (char)(x >> 56));
    }
    frame_append_compressed(&d, &out, buf_slice(&noise));
    assert_int_equal((unsigned char)out.data[0], 0x81);
    assert_int_equal(out.len, noise.len + 4);
    ws_deflate_free(d.compressor);
    buf_fini(&out);
    buf_fini(&text);
    buf_fini(&noise);
}

static void assert_spliced(const char *object, const char *expected)
{
    struct buf out = {0};
    envelope_spliced(&out, slice_from(object));
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void test_splicing(void **state)
{
    (void)state;
    assert_spliced("{}", "");
    assert_spliced("{ \r\n\t}", "");
    assert_spliced("{\"a\":1}", ",\"a\":1");
    assert_spliced("{ \"a\": {}, \"b\":[] \n}", ",\"a\": {}, \"b\":[]");
}

static void test_position(void **state)
{
    (void)state;
    struct buf out = {0};
    struct json_value object, value;
    BUF_LITERAL(&out, "{\"x\":0");
    envelope_position(&out, 1, 23, 4, 56);
    BUF_LITERAL(&out, ",\"time\":");
    envelope_time(&out, 0);
    BUF_LITERAL(&out, ",\"name\":");
    envelope_quoted(&out, SLICE("n"));
    BUF_LITERAL(&out, "}");
    assert_int_equal(json_parse(buf_slice(&out), &object, NULL), 0);
    assert_true(json_find(object, SLICE("offset"), &value));
    assert_true(slice_is(value.text, "23"));
    assert_true(json_find(object, SLICE("cursor"), &value));
    assert_true(json_find(object, SLICE("epoch"), &value));
    assert_true(json_find(object, SLICE("time"), &value));
    assert_true(json_string_is(value, "1970-01-01T00:00:00.000Z"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),    cmocka_unit_test(test_frame_without_memory),
        cmocka_unit_test(test_compressed), cmocka_unit_test(test_splicing),
        cmocka_unit_test(test_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
