/* permessage-deflate: negotiation, and messages through compression and back. */
#include "../test.h"

#include "base/memory.h"
#include "codec/deflate.h"
#include "fanfare/error.h"

/* ---- Negotiation (RFC 7692, 5 and 7.1) ---- */

static const struct offer_case {
    const char *offers;
    const char *answer; /* NULL: the header is malformed */
    bool no_context;
    unsigned bits;
} offers[] = {
    {"", "", false, 0},
    {"permessage-deflate", "permessage-deflate; server_no_context_takeover", false, 15},
    {"permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover",
     false, 15},
    {"permessage-deflate;client_max_window_bits=10",
     "permessage-deflate; server_no_context_takeover", false, 10},
    {"permessage-deflate; client_max_window_bits=\"8\"",
     "permessage-deflate; server_no_context_takeover", false, 8},
    {"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover", true, 15},
    {"permessage-deflate; server_max_window_bits=15",
     "permessage-deflate; server_no_context_takeover; server_max_window_bits=15", false, 15},
    {"permessage-deflate ; server_max_window_bits = \"1\\5\"",
     "permessage-deflate; server_no_context_takeover; server_max_window_bits=15", false, 15},
    /* declined */
    {"permessage-deflate; server_max_window_bits=14", "", false, 0},
    {"permessage-deflate; server_max_window_bits=8", "", false, 0},
    {"permessage-deflate; server_max_window_bits", "", false, 0},
    {"permessage-deflate; server_max_window_bits=16", "", false, 0},
    {"permessage-deflate; server_max_window_bits=015", "", false, 0},
    {"permessage-deflate; server_max_window_bits=115", "", false, 0},
    {"permessage-deflate; client_max_window_bits=7", "", false, 0},
    {"permessage-deflate; client_max_window_bits=16", "", false, 0},
    {"permessage-deflate; client_max_window_bits=08", "", false, 0},
    {"permessage-deflate; client_max_window_bits=ten", "", false, 0},
    {"permessage-deflate; client_max_window_bits=10000000000000000000000", "", false, 0},
    {"permessage-deflate; server_no_context_takeover=1", "", false, 0},
    {"permessage-deflate; client_no_context_takeover=\"true\"", "", false, 0},
    {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", "", false, 0},
    {"permessage-deflate; client_max_window_bits; client_max_window_bits=9", "", false, 0},
    {"permessage-deflate; unknown", "", false, 0},
    {"permessage-deflate; unknown=1", "", false, 0},
    {"x-webkit-deflate-frame", "", false, 0},
    {"permessage-bzip2; level=9", "", false, 0},
    /* several offers: the first good one */
    {"permessage-deflate; server_max_window_bits=10, permessage-deflate",
     "permessage-deflate; server_no_context_takeover", false, 15},
    {"foo; a=\"b\", permessage-deflate; client_max_window_bits=9, permessage-deflate",
     "permessage-deflate; server_no_context_takeover", false, 9},
    {" ,, permessage-deflate ,", "permessage-deflate; server_no_context_takeover", false, 15},
    /* malformed */
    {",", NULL, false, 0},
    {" ", NULL, false, 0},
    {"permessage-deflate;", NULL, false, 0},
    {"permessage-deflate; ", NULL, false, 0},
    {"permessage-deflate;; server_no_context_takeover", NULL, false, 0},
    {"; permessage-deflate", NULL, false, 0},
    {"permessage-deflate; client_max_window_bits=", NULL, false, 0},
    {"permessage-deflate; client_max_window_bits=\"\"", NULL, false, 0},
    {"permessage-deflate; client_max_window_bits=\"8", NULL, false, 0},
    {"permessage-deflate; client_max_window_bits=\"8\\", NULL, false, 0},
    {"permessage-deflate; client_max_window_bits=\"8 9\"", NULL, false, 0},
    {"permessage-deflate; client_max_window_bits=\"8\"9", NULL, false, 0},
    {"permessage-deflate; =8", NULL, false, 0},
    {"permessage-deflate permessage-deflate", NULL, false, 0},
    {"permessage-deflate/1", NULL, false, 0},
    {"permessage-deflate, foo; \xC3\xA9", NULL, false, 0},
    {"permessage-deflate, foo bar", NULL, false, 0},
};

static void test_offers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        const struct offer_case *c = &offers[i];
        struct ws_deflate_agreement a;
        char answer[192];
        int result = ws_deflate_negotiate(slice_from(c->offers), 0, &a, answer);
        const char *expected = c->answer ? c->answer : "";
        if (result != (c->answer ? 0 : FAN_E_PROTOCOL) || strcmp(answer, expected) != 0)
            fail_msg("%s: %s, \"%s\"", c->offers, fan_error_name(result), answer);
        assert_int_equal(a.on, expected[0] != '\0');
        assert_int_equal(a.client_no_context, c->no_context);
        assert_int_equal(a.client_window_bits, c->bits);
    }
}

static void test_server_may_ask_for_no_context(void **state)
{
    (void)state;
    struct ws_deflate_agreement a;
    char answer[192];
    assert_int_equal(ws_deflate_negotiate(SLICE("permessage-deflate; server_max_window_bits=15"),
                                          WS_DEFLATE_CLIENT_ANEW, &a, answer),
                     0);
    assert_true(a.on && a.client_no_context);
    assert_string_equal(answer, "permessage-deflate; server_no_context_takeover; "
                                "client_no_context_takeover; server_max_window_bits=15");
}

static void test_any_server_window(void **state)
{
    (void)state;
    static const struct {
        const char *offer, *answer;
        unsigned bits;
    } cases[] = {
        {"permessage-deflate; server_max_window_bits=9",
         "permessage-deflate; server_no_context_takeover; server_max_window_bits=9", 9},
        {"permessage-deflate; server_max_window_bits=12; client_no_context_takeover",
         "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=12",
         12},
        {"permessage-deflate", "permessage-deflate; server_no_context_takeover", 15},
        {"permessage-deflate; server_max_window_bits=8, permessage-deflate",
         "permessage-deflate; server_no_context_takeover", 15},
        {"permessage-deflate; server_max_window_bits=8", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ws_deflate_agreement a;
        char answer[192];
        int error =
            ws_deflate_negotiate(slice_from(cases[i].offer), WS_DEFLATE_ANY_WINDOW, &a, answer);
        assert_int_equal(error, 0);
        assert_string_equal(answer, cases[i].answer);
        assert_int_equal(a.server_window_bits, cases[i].bits);
    }
}

static void test_no_header_at_all(void **state)
{
    (void)state;
    struct ws_deflate_agreement a;
    char answer[192];
    assert_int_equal(ws_deflate_negotiate(slice_of(NULL, 0), 0, &a, answer), 0);
    assert_false(a.on);
    assert_string_equal(answer, "");
}

/* ---- Messages (7.2) ---- */

static void check_round_trip(struct ws_deflate *d, struct ws_inflate *i, struct slice message)
{
    struct buf packed = {0};
    struct buf plain = {0};
    assert_int_equal(ws_deflate_message(d, message, &packed), 0);
    assert_int_equal(ws_inflate_message(i, buf_slice(&packed), false, message.len, &plain), 0);
    assert_true(slice_equal(buf_slice(&plain), message));
    buf_fini(&packed);
    buf_fini(&plain);
}

static void test_round_trip_at_every_level(void **state)
{
    (void)state;
    enum { SIZE = 200000 };
    char *random = malloc(SIZE);
    uint32_t seed = 1;
    for (size_t n = 0; n < SIZE; n++) {
        seed = seed * 1664525 + 1013904223;
        random[n] = (char)(seed >> 24);
    }
    for (int level = 1; level <= 9; level++) {
        struct ws_deflate *d = ws_deflate_new(level);
        struct ws_inflate *i = ws_inflate_new(15);
        check_round_trip(d, i, SLICE(""));
        check_round_trip(d, i, SLICE("Hello"));
        check_round_trip(d, i, SLICE("Hello Hello Hello Hello"));
        for (size_t n = 1; n <= SIZE; n = n * 3 + 1)
            check_round_trip(d, i, slice_of(random, n));
        for (size_t n = 0; n < SIZE; n++)
            random[n] = (char)((unsigned char)random[n] % (unsigned)(level + 1));
        check_round_trip(d, i, slice_of(random, SIZE));
        ws_deflate_free(d);
        ws_inflate_free(i);
    }
    free(random);
}

/* An inflater with exactly the agreed window reads it, also where far repetitions tempt. */
static void test_round_trip_with_every_window(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    char *message = malloc(SIZE);
    uint32_t seed = 1;
    for (size_t n = 0; n < SIZE; n++) {
        seed = seed * 1664525 + 1013904223;
        message[n] = n < 20000 ? (char)(seed >> 24) : message[n - 20000];
    }
    for (int bits = 9; bits <= 15; bits++) {
        struct ws_deflate *d = ws_deflate_new_window(6, bits);
        struct ws_inflate *i = ws_inflate_new(bits);
        check_round_trip(d, i, slice_of(message, SIZE));
        ws_deflate_free(d);
        ws_inflate_free(i);
    }
    free(message);
}

static void test_known_compressed_bytes(void **state)
{
    (void)state;
    struct ws_deflate *d = ws_deflate_new(6);
    struct buf out = {0};
    assert_int_equal(ws_deflate_message(d, SLICE("Hello"), &out), 0);
    assert_true(slice_equal(buf_slice(&out), SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00")));
    buf_clear(&out);
    assert_int_equal(ws_deflate_message(d, SLICE(""), &out), 0);
    assert_true(slice_equal(buf_slice(&out), SLICE("\x00")));
    buf_fini(&out);
    ws_deflate_free(d);
}

static void test_messages_are_compressed_anew(void **state)
{
    (void)state;
    struct ws_deflate *d = ws_deflate_new(9);
    struct buf first = {0};
    struct buf second = {0};
    for (int i = 0; i < 2; i++)
        ws_deflate_message(d, SLICE("no message refers to another"), i ? &second : &first);
    assert_true(slice_equal(buf_slice(&first), buf_slice(&second)));
    buf_fini(&first);
    buf_fini(&second);
    ws_deflate_free(d);
}

static void test_reset_empties_the_window(void **state)
{
    (void)state;
    struct ws_inflate *i = ws_inflate_new(15);
    struct buf out = {0};
    struct slice hello = SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00");
    struct slice again = SLICE("\xf2\x00\x11\x00\x00");
    assert_int_equal(ws_inflate_message(i, hello, false, 100, &out), 0);
    assert_int_equal(ws_inflate_message(i, again, true, 100, &out), 0);
    assert_string_equal(buf_text(&out), "HelloHello");
    assert_int_equal(ws_inflate_message(i, again, true, 100, &out), FAN_E_PROTOCOL);
    assert_int_equal(out.len, 10); /* what was there before stays */
    buf_fini(&out);
    ws_inflate_free(i);
}

static void test_window_outlives_a_final_block(void **state)
{
    (void)state;
    struct ws_inflate *i = ws_inflate_new(15);
    struct buf out = {0};
    assert_int_equal(
        ws_inflate_message(i, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), false, 100, &out), 0);
    assert_int_equal(ws_inflate_message(i, SLICE("\xf2\x00\x11\x00\x00"), false, 100, &out), 0);
    assert_string_equal(buf_text(&out), "HelloHello");
    buf_clear(&out);
    /* a message that ends with the final block, without the empty block behind it */
    assert_int_equal(ws_inflate_message(i, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00"), false, 100, &out),
                     0);
    assert_string_equal(buf_text(&out), "Hello");
    buf_fini(&out);
    ws_inflate_free(i);
}

static void test_limits(void **state)
{
    (void)state;
    struct slice hello = SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00");
    for (size_t limit = 0; limit < 8; limit++) {
        struct ws_inflate *i = ws_inflate_new(15);
        struct buf out = {0};
        assert_int_equal(ws_inflate_message(i, hello, true, limit, &out),
                         limit < 5 ? FAN_E_TOO_LARGE : 0);
        assert_int_equal(out.len, limit < 5 ? 0 : 5);
        assert_true(out.cap <= limit);
        assert_int_equal(out.limit, 0);
        buf_fini(&out);
        ws_inflate_free(i);
    }
    struct ws_inflate *i = ws_inflate_new(15);
    struct buf out = {.limit = 4}; /* the buffer's own limit counts, too */
    assert_int_equal(ws_inflate_message(i, hello, true, 100, &out), FAN_E_TOO_LARGE);
    assert_int_equal(out.limit, 4);
    buf_fini(&out);
    ws_inflate_free(i);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    bool done = false;
    for (unsigned nth = 1; !done; nth++) {
        memory_fail_nth(nth);
        struct ws_deflate *d = ws_deflate_new(6);
        struct buf out = {0};
        int result = d ? ws_deflate_message(d, SLICE("Hello"), &out) : FAN_E_NO_MEMORY;
        memory_fail_nth(0);
        assert_true(result == 0 || result == FAN_E_NO_MEMORY);
        done = result == 0;
        buf_fini(&out);
        ws_deflate_free(d);
    }
    done = false;
    for (unsigned nth = 1; !done; nth++) {
        memory_fail_nth(nth);
        struct ws_inflate *i = ws_inflate_new(15);
        struct buf out = {0};
        int result =
            i ? ws_inflate_message(i, SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), false, 100, &out)
              : FAN_E_NO_MEMORY;
        memory_fail_nth(0);
        assert_true(result == 0 || result == FAN_E_NO_MEMORY);
        done = result == 0;
        buf_fini(&out);
        ws_inflate_free(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_server_may_ask_for_no_context),
        cmocka_unit_test(test_any_server_window),
        cmocka_unit_test(test_no_header_at_all),
        cmocka_unit_test(test_round_trip_at_every_level),
        cmocka_unit_test(test_round_trip_with_every_window),
        cmocka_unit_test(test_known_compressed_bytes),
        cmocka_unit_test(test_messages_are_compressed_anew),
        cmocka_unit_test(test_reset_empties_the_window),
        cmocka_unit_test(test_window_outlives_a_final_block),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
