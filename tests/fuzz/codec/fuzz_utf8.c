/* UTF-8: pieces give the same as the whole, and both the same as a decoder written plainly. */
#include "../fuzz.h"

#include "codec/utf8.h"

/* The length of the code point at p, by decoding it; 0 when there is none. */
static size_t decode(const uint8_t *p, size_t len)
{
    size_t size = p[0] < 0x80             ? 1
                  : (p[0] & 0xE0) == 0xC0 ? 2
                  : (p[0] & 0xF0) == 0xE0 ? 3
                  : (p[0] & 0xF8) == 0xF0 ? 4
                                          : 0;
    if (size == 0 || size > len)
        return 0;
    uint32_t c = size == 1 ? p[0] : p[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3F);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return c < least[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : size;
}

static size_t valid_size(struct slice text)
{
    size_t at = 0;
    size_t size = 1;
    while (at < text.len && size) {
        size = decode((const uint8_t *)text.ptr + at, text.len - at);
        at += size;
    }
    return at;
}

static void check_pieces(struct slice text, size_t step, bool valid)
{
    struct utf8_state s = {0};
    bool fine = true;
    for (size_t at = 0; at < text.len && fine; at += step)
        fine = utf8_feed(&s, slice_of(text.ptr + at, step < text.len - at ? step : text.len - at));
    FUZZ_CHECK((fine && utf8_complete(&s)) == valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    struct slice text = slice_of(copy, size);
    size_t bad;
    size_t good = valid_size(text);
    bool valid = good == size;
    FUZZ_CHECK(utf8_valid(text) == valid);
    FUZZ_CHECK(utf8_valid_prefix(text, &bad) == good);
    FUZZ_CHECK((bad == 0) == valid && good + bad <= size);
    for (size_t step = 1; step < 11; step++)
        check_pieces(text, step, valid);
    size_t tail = utf8_incomplete_tail(text);
    FUZZ_CHECK(tail <= 3 && tail <= size);
    struct utf8_state s = {0};
    if (utf8_feed(&s, text))
        FUZZ_CHECK((tail > 0) == !utf8_complete(&s) && utf8_valid(slice_of(text.ptr, size - tail)));
    struct buf repaired = {0};
    utf8_append_repaired(&repaired, text);
    FUZZ_CHECK(utf8_valid(buf_slice(&repaired)));
    FUZZ_CHECK(slice_equal(buf_slice(&repaired), text) == valid);
    buf_fini(&repaired);
    free(copy);
    return 0;
}
