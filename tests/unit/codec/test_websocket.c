/* WebSocket handshake values, frames out and masking. */
#include "../test.h"

#include "base/memory.h"
#include "codec/websocket.h"

/* ---- Handshake (RFC 6455, 4.2) ---- */

static void test_accept_value_of_the_rfc(void **state)
{
    (void)state;
    char out[29];
    ws_accept_value(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), out); /* the example of 1.3 */
    assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ws_accept_value(SLICE("x3JJHMbDL1EzLkh9GBhXDw=="), out);
    assert_string_equal(out, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

static void test_accept_value_of_a_bad_key_is_empty(void **state)
{
    (void)state;
    char out[29];
    ws_accept_value(SLICE("short"), out);
    assert_string_equal(out, "");
}

static void test_key_must_be_16_bytes_of_base64(void **state)
{
    (void)state;
    assert_true(ws_key_valid(SLICE("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_true(ws_key_valid(SLICE("++++/////+AAAAAzzzzz09==")));
    static const char *const bad[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZWFi",
        "dGhlIHNhbXBsZSBub25jZWE=",
        "dGhlIHNhbXBsZSBub25j=Q==",
        "dGhlIHNhbXBsZS-ub25jZQ==",
        "dGhlIHNhbXBsZS ub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ== ",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ws_key_valid(slice_from(bad[i])));
}

/* ---- Frames out (5.2) ---- */

static void check_header(uint64_t len, const uint8_t *mask, const char *expected, size_t size)
{
    uint8_t out[WS_HEADER_MAX];
    assert_int_equal(ws_header_write(out, WS_BINARY, true, false, len, mask), size);
    assert_memory_equal(out, expected, size);
}

static void test_header_uses_the_shortest_length(void **state)
{
    (void)state;
    check_header(0, NULL, "\x82\x00", 2);
    check_header(125, NULL, "\x82\x7D", 2);
    check_header(126, NULL, "\x82\x7E\x00\x7E", 4);
    check_header(256, NULL, "\x82\x7E\x01\x00", 4);
    check_header(65535, NULL, "\x82\x7E\xFF\xFF", 4);
    check_header(65536, NULL, "\x82\x7F\0\0\0\0\0\x01\0\0", 10);
    check_header(INT64_MAX, NULL, "\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10);
}

static void test_header_with_mask(void **state)
{
    (void)state;
    const uint8_t mask[4] = {1, 2, 3, 4};
    check_header(5, mask, "\x82\x85\x01\x02\x03\x04", 6);
    check_header(300, mask, "\x82\xFE\x01\x2C\x01\x02\x03\x04", 8);
    check_header(65536, mask, "\x82\xFF\0\0\0\0\0\x01\0\0\x01\x02\x03\x04", WS_HEADER_MAX);
}

static void test_header_bits(void **state)
{
    (void)state;
    uint8_t out[WS_HEADER_MAX];
    ws_header_write(out, WS_TEXT, true, false, 0, NULL);
    assert_int_equal(out[0], 0x81);
    ws_header_write(out, WS_TEXT, false, true, 0, NULL);
    assert_int_equal(out[0], 0x41);
    ws_header_write(out, WS_CONTINUATION, true, false, 0, NULL);
    assert_int_equal(out[0], 0x80);
    ws_header_write(out, WS_PONG, true, false, 0, NULL);
    assert_int_equal(out[0], 0x8A);
}

static void test_server_frames_are_not_masked(void **state)
{
    (void)state;
    struct buf out = {0};
    ws_append_frame(&out, WS_TEXT, false, SLICE("Hello")); /* the example of 5.7 */
    assert_true(slice_equal(buf_slice(&out), SLICE("\x81\x05Hello")));
    ws_append_frame(&out, WS_PING, false, SLICE(""));
    assert_true(slice_equal(buf_slice(&out), SLICE("\x81\x05Hello\x89\x00")));
    buf_fini(&out);
}

static void test_frame_without_memory_is_not_half_written(void **state)
{
    (void)state;
    struct buf out = {.limit = 6};
    ws_append_frame(&out, WS_TEXT, false, SLICE("Hello"));
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void check_close(uint16_t code, struct slice reason, struct slice expected)
{
    struct buf out = {0};
    ws_append_close(&out, code, reason);
    assert_true(slice_equal(buf_slice(&out), expected));
    buf_fini(&out);
}

static void test_close_frames(void **state)
{
    (void)state;
    check_close(0, SLICE("ignored"), SLICE("\x88\x00"));
    check_close(1000, SLICE(""), SLICE("\x88\x02\x03\xE8"));
    check_close(1001, SLICE("bye"),
                SLICE("\x88\x05\x03\xE9"
                      "bye"));
    check_close(4401, slice_of(NULL, 0), SLICE("\x88\x02\x11\x31"));
}

static void test_close_reason_is_cut_on_a_code_point(void **state)
{
    (void)state;
    char reason[200];
    struct buf out = {0};
    memset(reason, 'x', sizeof reason);
    ws_append_close(&out, 1008, slice_of(reason, 123));
    assert_int_equal(out.len, 2 + 125);
    buf_clear(&out);
    ws_append_close(&out, 1008, slice_of(reason, 124));
    assert_int_equal(out.len, 2 + 125);
    assert_int_equal(out.data[1], 125);
    buf_clear(&out);
    memcpy(reason + 121, "\xE2\x82\xAC", 3);
    ws_append_close(&out, 1008, slice_of(reason, 124));
    assert_int_equal(out.len, 2 + 123);
    assert_true(utf8_valid(slice_skip(buf_slice(&out), 4)));
    buf_fini(&out);
}

/* ---- Masking (5.3) ---- */

static void test_mask_of_the_rfc(void **state)
{
    (void)state;
    const uint8_t mask[4] = {0x37, 0xFA, 0x21, 0x3D}; /* the example of 5.7 */
    char data[] = "Hello";
    ws_mask(data, 5, mask, 0);
    assert_memory_equal(data, "\x7F\x9F\x4D\x51\x58", 5);
}

static void test_mask_in_pieces(void **state)
{
    (void)state;
    const uint8_t mask[4] = {0x11, 0x52, 0x93, 0xD4};
    enum { SIZE = 61 };
    char expected[SIZE], data[SIZE + 8];
    for (unsigned i = 0; i < SIZE; i++)
        expected[i] = (char)(i ^ mask[i & 3]);
    for (size_t offset = 0; offset < 8; offset++) {
        for (size_t split = 0; split <= SIZE; split++) {
            char *at = data + offset;
            for (unsigned i = 0; i < SIZE; i++)
                at[i] = (char)i;
            ws_mask(at, split, mask, 0);
            ws_mask(at + split, SIZE - split, mask, (unsigned)(split & 3));
            assert_memory_equal(at, expected, SIZE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_value_of_the_rfc),
        cmocka_unit_test(test_accept_value_of_a_bad_key_is_empty),
        cmocka_unit_test(test_key_must_be_16_bytes_of_base64),
        cmocka_unit_test(test_header_uses_the_shortest_length),
        cmocka_unit_test(test_header_with_mask),
        cmocka_unit_test(test_header_bits),
        cmocka_unit_test(test_server_frames_are_not_masked),
        cmocka_unit_test(test_frame_without_memory_is_not_half_written),
        cmocka_unit_test(test_close_frames),
        cmocka_unit_test(test_close_reason_is_cut_on_a_code_point),
        cmocka_unit_test(test_mask_of_the_rfc),
        cmocka_unit_test(test_mask_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
