/* Runs of events: whatever a blob holds behind a right checksum, reading it ends, stays inside, and
 * what was read can be written and read again. */
#include "../fuzz.h"

#include "base/memory.h"
#include "engine/run_codec.h"

static void seal(struct buf *blob)
{
    struct run_writer w = {.out = blob, .key = {1, 1}};
    FUZZ_CHECK(run_end(&w) == 0);
}

static void check_again(const struct run_record *record)
{
    struct buf blob = {0};
    struct run_writer w;
    struct run_reader r;
    struct run_record again;
    run_begin(&w, &blob, 1, record->seq);
    run_add(&w, record);
    FUZZ_CHECK(run_end(&w) == 0);
    FUZZ_CHECK(run_open(&r, buf_slice(&blob), 1, record->seq) == 0);
    FUZZ_CHECK(run_next(&r, &again) == 1);
    FUZZ_CHECK(again.seq == record->seq && again.time_ms == record->time_ms);
    FUZZ_CHECK(again.place_count == record->place_count);
    FUZZ_CHECK(slice_equal(again.data, record->data) && slice_equal(again.id, record->id));
    FUZZ_CHECK(run_next(&r, &again) == 0);
    buf_fini(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run_reader r;
    struct run_record record;
    char *copy = fuzz_copy(slice_of((const char *)data, size));
    run_open(&r, slice_of(copy, size), 1, 1); /* as it is */
    free(copy);
    struct buf blob = {0};
    checked_blob_begin(&blob);
    buf_append(&blob, data, size);
    seal(&blob);
    copy = fuzz_copy(buf_slice(&blob));
    FUZZ_CHECK(run_open(&r, slice_of(copy, blob.len), 1, 1) == 0);
    while (run_next(&r, &record) == 1)
        check_again(&record);
    free(copy);
    buf_fini(&blob);
    return 0;
}
