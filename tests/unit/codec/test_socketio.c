/* Socket.IO packets and their attachments. */
#include "../test.h"

#include "codec/socketio.h"
#include "fanfare/error.h"

static struct sio_packet parsed(const char *text)
{
    struct sio_packet p;
    const char *why = "";
    assert_int_equal(sio_packet_parse(slice_from(text), &p, &why), 0);
    return p;
}

static void test_packets(void **state)
{
    (void)state;
    struct sio_packet p = parsed("0");
    assert_true(p.type == SIO_CONNECT && slice_is(p.space, "/") && p.data.kind == JSON_NULL);
    p = parsed("0/admin,{\"token\":\"x\"}");
    assert_true(slice_is(p.space, "/admin") && slice_is(p.data.text, "{\"token\":\"x\"}"));
    p = parsed("0/ws?a=b,");
    assert_true(slice_is(p.space, "/ws"));
    p = parsed("1/ws,");
    assert_int_equal(p.type, SIO_DISCONNECT);
    p = parsed("1/ws"); /* without a comma, as old clients write it */
    assert_true(slice_is(p.space, "/ws"));
    p = parsed("2/ws,13[\"a\",1]");
    assert_true(p.type == SIO_EVENT && p.has_id && p.id == 13);
    p = parsed("2[1,2]");
    assert_true(!p.has_id);
    p = parsed("3/ws,0[]");
    assert_true(p.type == SIO_ACK && p.has_id && p.id == 0);
    p = parsed("51-/ws,7[\"a\",{\"_placeholder\":true,\"num\":0}]");
    assert_true(p.type == SIO_BINARY_EVENT && p.attachments == 1 && p.id == 7);
}

static void test_names_of_prototypes_are_bytes(void **state)
{
    (void)state;
    struct sio_packet p = parsed("2[\"__proto__\",{\"__proto__\":{\"a\":1},\"constructor\":2}]");
    assert_true(
        slice_is(p.data.text, "[\"__proto__\",{\"__proto__\":{\"a\":1},\"constructor\":2}]"));
    p = parsed("51-[\"a\",{\"__proto__\":{\"_placeholder\":true,\"num\":0}}]");
    assert_int_equal(p.attachments, 1);
}

static void test_malformed_packets(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "7",
        "x",
        "2",
        "2{}",
        "2[]",
        "2[{}]",
        "2[null]",
        "2[\"a\"",
        "2[\"a\"]x",
        "0[]",
        "0\"a\"",
        "01",
        "1[]",
        "3{}",
        "2[\"connect\"]",
        "2[\"disconnect\"]",
        "2[\"connect\\u005ferror\"]",
        "5[\"a\"]",
        "5-[\"a\"]",
        "51[\"a\"]",
        "565-[\"a\"]",
        "21234567890123456[\"a\"]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":-1}]",
        "51-[\"a\",{\"_placeholder\":true,\"num\":\"0\"}]",
        "51-[\"a\",[{\"b\":{\"_placeholder\":true}}]]",
        "2/ws,[\"\xff\"]",
        "4[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sio_packet p;
        const char *why = NULL;
        assert_int_equal(sio_packet_parse(slice_from(bad[i]), &p, &why), FAN_E_PARSE);
        assert_non_null(why);
    }
    char name[300];
    memset(name, 'a', sizeof name);
    memcpy(name, "0/", 2);
    struct sio_packet p;
    const char *why = NULL;
    assert_int_equal(sio_packet_parse(slice_of(name, sizeof name), &p, &why), FAN_E_PARSE);
}

static void test_heads(void **state)
{
    (void)state;
    struct buf out = {0};
    const uint64_t id = 7;
    sio_append_head(&out, SIO_ACK, SLICE("/ws"), &id);
    assert_true(slice_is(buf_slice(&out), "3/ws,7"));
    buf_clear(&out);
    sio_append_head(&out, SIO_EVENT, SLICE("/"), NULL);
    assert_true(slice_is(buf_slice(&out), "2"));
    buf_clear(&out);
    sio_append_binary_head(&out, SIO_ACK, 2, SLICE("/ws"), &id);
    assert_true(slice_is(buf_slice(&out), "62-/ws,7"));
    buf_clear(&out);
    sio_append_binary_head(&out, SIO_EVENT, 1, SLICE("/"), NULL);
    assert_true(slice_is(buf_slice(&out), "51-"));
    buf_clear(&out);
    sio_append_binary_head(&out, SIO_EVENT, 0, SLICE("/"), NULL);
    assert_true(slice_is(buf_slice(&out), "2"));
    buf_fini(&out);
}

static void test_arguments(void **state)
{
    (void)state;
    static const char one[] = "[{\"a\":[{\"_placeholder\":true,\"num\":0}]}]";
    assert_true(sio_arguments_valid(SLICE("[]"), 0));
    assert_true(sio_arguments_valid(SLICE("[1,null,\"x\"]"), 2));
    assert_true(sio_arguments_valid(slice_from(one), 1));
    assert_false(sio_arguments_valid(slice_from(one), 0));
    assert_false(sio_arguments_valid(SLICE("{}"), 0));
    assert_false(sio_arguments_valid(SLICE("[1"), 0));
    assert_false(sio_arguments_valid(SLICE(""), 0));
    assert_true(sio_event_reserved(SLICE("connect")) && sio_event_reserved(SLICE("disconnecting")));
    assert_false(sio_event_reserved(SLICE("message")) || sio_event_reserved(SLICE("connec")));
}

static void test_names_of_namespaces(void **state)
{
    (void)state;
    char longest[SIO_NAMESPACE_MAX + 1];
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    assert_true(sio_namespace_valid(SLICE("/")) && sio_namespace_valid(SLICE("/a/b-c_d.\xc3\xa4")));
    assert_true(sio_namespace_valid(slice_of(longest, SIO_NAMESPACE_MAX)));
    assert_false(sio_namespace_valid(slice_of(longest, sizeof longest)));
    const char *const bad[] = {"", "a", "/a,b", "/a?b", "/a b", "/a\n", NULL};
    for (const char *const *name = bad; *name; name++)
        assert_false(sio_namespace_valid(slice_from(*name)));
}

static void test_attachments(void **state)
{
    (void)state;
    struct sio_assembly *a = NULL;
    struct sio_whole whole;
    const char *why = NULL;
    assert_int_equal(sio_take_text(&a, SLICE("2[\"plain\"]"), &whole, &why), 1);
    assert_null(a);
    assert_int_equal(sio_take_text(&a,
                                   SLICE("52-[\"two\",{\"_placeholder\":true,\"num\":1},"
                                         "{\"_placeholder\":true,\"num\":0}]"),
                                   &whole, &why),
                     0);
    assert_int_equal(sio_take_binary(&a, SLICE("abc"), 16, &whole, &why), 0);
    assert_int_equal(sio_take_binary(&a, SLICE(""), 16, &whole, &why), 1);
    assert_int_equal(whole.packet.type, SIO_BINARY_EVENT);
    assert_true(slice_is(whole.attachments[0], "abc") && whole.attachments[1].len == 0);
    /* One more than announced. */
    assert_int_equal(sio_take_binary(&a, SLICE("x"), 16, &whole, &why), FAN_E_PARSE);
    sio_assembly_free(&a);
}

static void test_bad_attachments(void **state)
{
    (void)state;
    static const struct slice one = {"51-[\"a\",{\"_placeholder\":true,\"num\":0}]", 38};
    struct sio_assembly *a = NULL;
    struct sio_whole whole;
    const char *why = NULL;
    assert_int_equal(sio_take_binary(&a, SLICE("x"), 16, &whole, &why), FAN_E_PARSE);
    assert_int_equal(sio_take_text(&a, one, &whole, &why), 0);
    assert_int_equal(sio_take_text(&a, SLICE("2[\"early\"]"), &whole, &why), FAN_E_PARSE);
    assert_null(a);
    assert_int_equal(sio_take_text(&a, one, &whole, &why), 0);
    assert_int_equal(sio_take_binary(&a, SLICE("12345"), 4, &whole, &why), FAN_E_TOO_LARGE);
    assert_null(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_names_of_prototypes_are_bytes),
        cmocka_unit_test(test_malformed_packets),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_names_of_namespaces),
        cmocka_unit_test(test_attachments),
        cmocka_unit_test(test_bad_attachments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
