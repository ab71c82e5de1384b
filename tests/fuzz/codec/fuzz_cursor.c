/* Cursors: a text that is accepted is the only text of its position. */
#include "../fuzz.h"

#include "codec/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    struct slice text = slice_of(copy, size);
    struct cursor c, again;
    uint64_t epoch, second;
    char out[CURSOR_TEXT_SIZE];
    if (cursor_parse(text, &c) == 0) {
        cursor_format(c, out);
        FUZZ_CHECK(slice_is(text, out));
    }
    if (epoch_parse(text, &epoch) == 0) {
        epoch_format(epoch, out);
        FUZZ_CHECK(slice_is(text, out));
    }
    if (size >= sizeof c) {
        memcpy(&c, copy, sizeof c);
        cursor_format(c, out);
        FUZZ_CHECK(cursor_parse(slice_from(out), &again) == 0);
        FUZZ_CHECK(again.epoch == c.epoch && again.seq == c.seq);
        epoch_format(c.epoch, out);
        FUZZ_CHECK(epoch_parse(slice_from(out), &second) == 0 && second == c.epoch);
    }
    free(copy);
    return 0;
}
