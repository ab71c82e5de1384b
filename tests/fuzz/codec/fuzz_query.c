/* Queries and percent-encoding: each parameter that the walk shows is found by its name, and what
 * is encoded decodes to itself. */
#include "../fuzz.h"

#include "codec/http.h"
#include "fanfare/error.h"

static void check_encoding(struct slice text)
{
    struct buf encoded = {0};
    struct buf decoded = {0};
    http_percent_encode(text, &encoded);
    FUZZ_CHECK(http_percent_decode(buf_slice(&encoded), false, &decoded) == 0);
    FUZZ_CHECK(slice_equal(buf_slice(&decoded), text));
    buf_clear(&decoded);
    FUZZ_CHECK(http_percent_decode(buf_slice(&encoded), true, &decoded) == 0);
    FUZZ_CHECK(slice_equal(buf_slice(&decoded), text));
    if (text.len && http_identifier_valid(text))
        FUZZ_CHECK(text.len <= 128);
    buf_fini(&encoded);
    buf_fini(&decoded);
}

static void check_parameter(struct slice query, struct slice name)
{
    struct buf plain = {0};
    struct buf value = {0};
    int result = http_percent_decode(name, true, &plain);
    FUZZ_CHECK(result == 0 || result == FAN_E_PARSE);
    if (result == 0 && !memchr(plain.data ? plain.data : "", 0, plain.len)) {
        int found = http_query_get(query, buf_text(&plain), &value);
        FUZZ_CHECK(found == 0 || found == FAN_E_PARSE);
    }
    buf_fini(&plain);
    buf_fini(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    struct slice query = slice_of(copy, size);
    struct slice rest = query;
    struct slice name, value;
    size_t seen = 0;
    check_encoding(query);
    while (http_query_next(&rest, &name, &value)) {
        seen += name.len + value.len;
        FUZZ_CHECK(!memchr(name.ptr, '=', name.len) && !memchr(value.ptr, '&', value.len));
        if (size < 500)
            check_parameter(query, name);
    }
    FUZZ_CHECK(seen <= size);
    struct buf out = {0};
    http_query_get(query, "topic", &out);
    buf_fini(&out);
    free(copy);
    return 0;
}
