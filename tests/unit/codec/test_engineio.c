/* Engine.IO packets, payloads and the states of a session; and base64, which payloads need. */
#include "../test.h"

#include "codec/base64.h"
#include "codec/engineio.h"
#include "fanfare/error.h"

static void test_packets(void **state)
{
    (void)state;
    struct eio_packet p;
    assert_int_equal(eio_packet_parse(SLICE("4hello"), &p), 0);
    assert_int_equal(p.type, EIO_MESSAGE);
    assert_true(slice_is(p.data, "hello") && !p.binary);
    assert_int_equal(eio_packet_parse(SLICE("2probe"), &p), 0);
    assert_int_equal(p.type, EIO_PING);
    assert_int_equal(eio_packet_parse(SLICE("6"), &p), 0);
    assert_int_equal(p.data.len, 0);
    static const char *const bad[] = {"", "7", "a", "b", "\x1e", "-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(eio_packet_parse(slice_from(bad[i]), &p), FAN_E_PARSE);
}

static void test_payload(void **state)
{
    (void)state;
    struct buf payload = {0}, bytes = {0};
    struct eio_packet p;
    eio_payload_append_text(&payload, SLICE("4hello"));
    eio_payload_append_text(&payload, SLICE("2"));
    eio_payload_append_binary(&payload, slice_of("\x01\x02\x03\xff", 4));
    assert_true(slice_is(buf_slice(&payload), "4hello\x1e"
                                              "2\x1e"
                                              "bAQID/w=="));
    struct slice rest = buf_slice(&payload);
    assert_int_equal(eio_payload_next(&rest, &p, &bytes), 0);
    assert_true(p.type == EIO_MESSAGE && slice_is(p.data, "hello"));
    assert_int_equal(eio_payload_next(&rest, &p, &bytes), 0);
    assert_true(p.type == EIO_PING && p.data.len == 0);
    assert_int_equal(eio_payload_next(&rest, &p, &bytes), 0);
    assert_true(p.binary && slice_equal(p.data, slice_of("\x01\x02\x03\xff", 4)));
    assert_int_equal(eio_payload_next(&rest, &p, &bytes), FAN_E_NOT_FOUND);
    buf_fini(&payload);
    buf_fini(&bytes);
}

static void test_bad_payloads(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\x1e",
                                      "4a\x1e",
                                      "4a\x1e\x1e"
                                      "4b",
                                      "bA",
                                      "b!!!!",
                                      "9",
                                      "4a\x1e"
                                      "bAB"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf bytes = {0};
        struct slice rest = slice_from(bad[i]);
        struct eio_packet p;
        int error = 0;
        while (!error)
            error = eio_payload_next(&rest, &p, &bytes);
        assert_int_equal(error, FAN_E_PARSE);
        buf_fini(&bytes);
    }
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                 {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xef\xbe", "/+++"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf text = {0}, bytes = {0};
        base64_append(&text, slice_from(cases[i].bytes));
        assert_true(slice_is(buf_slice(&text), cases[i].text));
        assert_int_equal(base64_decode(buf_slice(&text), &bytes), 0);
        assert_true(slice_is(buf_slice(&bytes), cases[i].bytes));
        buf_fini(&text);
        buf_fini(&bytes);
    }
    static const char *const bad[] = {"=", "Zg=", "Zg===", "Z", "Zm9v=", "-_-_", "Zm 9", "Zh=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf bytes = {0};
        assert_int_equal(base64_decode(slice_from(bad[i]), &bytes), FAN_E_PARSE);
        buf_fini(&bytes);
    }
}

static bool takes(enum eio_state state, const char *text, enum eio_state *next)
{
    struct eio_packet p;
    assert_int_equal(eio_packet_parse(slice_from(text), &p), 0);
    return eio_state_next(state, &p, next);
}

static void test_states(void **state)
{
    (void)state;
    enum eio_state next = EIO_CLOSED;
    assert_true(takes(EIO_ON_POLLING, "4x", &next) && next == EIO_ON_POLLING);
    assert_true(takes(EIO_PROBING, "2probe", &next) && next == EIO_PROBED);
    assert_true(takes(EIO_PROBED, "5", &next) && next == EIO_ON_WEBSOCKET);
    assert_true(takes(EIO_ON_WEBSOCKET, "3", &next) && next == EIO_ON_WEBSOCKET);
    assert_true(takes(EIO_ON_WEBSOCKET, "1", &next) && next == EIO_CLOSED);
    assert_false(takes(EIO_PROBING, "2", &next));
    assert_false(takes(EIO_PROBING, "5", &next));
    assert_false(takes(EIO_PROBED, "4x", &next));
    assert_false(takes(EIO_ON_WEBSOCKET, "0{}", &next));
    assert_false(takes(EIO_ON_WEBSOCKET, "2", &next));
    assert_false(takes(EIO_ON_WEBSOCKET, "5", &next));
    assert_false(takes(EIO_CLOSED, "4x", &next));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),      cmocka_unit_test(test_payload),
        cmocka_unit_test(test_bad_payloads), cmocka_unit_test(test_base64),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
