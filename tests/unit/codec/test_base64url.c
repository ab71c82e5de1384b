/* base64url: one text for each sequence of bytes, and no other text. */
#include "../test.h"

#include "codec/base64url.h"
#include "fanfare/error.h"

static void assert_pair(const char *bytes, size_t len, const char *text)
{
    struct buf out = {0};
    base64url_append(&out, slice_of(bytes, len));
    assert_string_equal(buf_text(&out), text);
    buf_clear(&out);
    assert_int_equal(base64url_decode(slice_from(text), &out), 0);
    assert_int_equal(out.len, len);
    assert_memory_equal(buf_text(&out), bytes, len);
    buf_fini(&out);
}

/* RFC 4648, 10, without padding, and the two digits of its own. */
static void test_vectors(void **state)
{
    (void)state;
    assert_pair("", 0, "");
    assert_pair("f", 1, "Zg");
    assert_pair("fo", 2, "Zm8");
    assert_pair("foo", 3, "Zm9v");
    assert_pair("foob", 4, "Zm9vYg");
    assert_pair("fooba", 5, "Zm9vYmE");
    assert_pair("foobar", 6, "Zm9vYmFy");
    assert_pair("\xfb\xff\xfe", 3, "-__-");
    assert_pair("\0\0", 2, "AAA");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z",    "Zg==",  "Zg=",   "Zh",    "Zm9",       "Zm+v",
                                        "Zm/v", "Zm9v ", "Zm\n9", "Zm9vZ", "\xc3\xa4gg"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf out = {0};
        assert_int_equal(base64url_decode(slice_from(texts[i]), &out), FAN_E_PARSE);
        buf_fini(&out);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct buf out = {.limit = 2};
    assert_int_equal(base64url_decode(SLICE("Zm9v"), &out), FAN_E_NO_MEMORY);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
