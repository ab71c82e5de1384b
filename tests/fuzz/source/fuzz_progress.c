/* Any bytes as a build tool's output: what is told is always a progress, and never more than a
 * total. */
#include "../fuzz.h"

#include "source/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    uint8_t step;
    struct progress_parser parser;
    struct progress progress;
    uint64_t now_ms = 0;
    if (!fuzz_take(&input, 1, &step))
        return 0;
    progress_parser_init(&parser);
    for (unsigned turn = 0; input.len; turn++) {
        size_t len = step && step < input.len ? step : input.len;
        char *piece = fuzz_copy(slice_of(input.ptr, len));
        bool changed = progress_parser_feed(&parser, step & turn & 1, slice_of(piece, len), now_ms);
        FUZZ_CHECK(!changed || progress_parser_get(&parser, &progress));
        if (progress_parser_get(&parser, &progress)) {
            FUZZ_CHECK(progress.total > 0 && progress.completed <= progress.total);
            FUZZ_CHECK(progress.percent >= 0 && progress.percent <= 100);
        }
        free(piece);
        input = slice_skip(input, len);
        now_ms += 1000;
    }
    return 0;
}
