/* The stored form of events: what goes in comes out, and what is damaged is found. */
#include "../test.h"

#include <string.h>

#include "base/memory.h"
#include "engine/run_codec.h"
#include "fanfare/error.h"

static struct run_record plain(uint64_t seq, int64_t time_ms)
{
    return (struct run_record){
        .seq = seq,
        .time_ms = time_ms,
        .type = SLICE("component_update"),
        .data = SLICE("{\"component_id\":\"auth\"}"),
    };
}

static struct run_record full(uint64_t seq)
{
    return (struct run_record){
        .seq = seq,
        .time_ms = -5,
        .nested = true,
        .audience = 7,
        .type = SLICE("made_up"),
        .source = SLICE("a source"),
        .id = SLICE("id-1"),
        .key = SLICE("k"),
        .data = SLICE("{}"),
        .place_count = 3,
        .places = {{SLICE("user:bob"), 12, UINT64_MAX}, {{0}, 0, 0}, {SLICE("global"), 1, 5}},
    };
}

static void write_run(struct buf *out, const struct run_record *records, unsigned count)
{
    struct run_writer w;
    run_begin(&w, out, 1, records[0].seq);
    for (unsigned i = 0; i < count; i++)
        run_add(&w, &records[i]);
    assert_int_equal(run_end(&w), 0);
}

static void assert_same(const struct run_record *a, const struct run_record *b)
{
    assert_true(a->seq == b->seq);
    assert_true(a->time_ms == b->time_ms);
    assert_int_equal(a->nested, b->nested);
    assert_int_equal(a->audience, b->audience);
    assert_true(slice_equal(a->type, b->type) && slice_equal(a->source, b->source));
    assert_true(slice_equal(a->id, b->id) && slice_equal(a->key, b->key));
    assert_true(slice_equal(a->data, b->data));
    assert_int_equal(a->place_count, b->place_count);
    for (unsigned i = 0; i < a->place_count; i++) {
        assert_true(slice_equal(a->places[i].name, b->places[i].name));
        assert_true(a->places[i].offset == b->places[i].offset);
        assert_true(a->places[i].epoch == b->places[i].epoch);
    }
}

static void test_what_goes_in_comes_out(void **state)
{
    (void)state;
    struct run_record in[] = {plain(UINT64_C(1) << 62, INT64_MAX), full((UINT64_C(1) << 62) + 9),
                              plain(UINT64_MAX, INT64_MIN)},
                      out;
    struct run_reader r;
    struct buf blob = {0};
    write_run(&blob, in, 3);
    assert_int_equal(run_open(&r, buf_slice(&blob), 1, in[0].seq), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(run_next(&r, &out), 1);
        assert_same(&in[i], &out);
    }
    assert_int_equal(run_next(&r, &out), 0);
    assert_int_equal(run_next(&r, &out), 0);
    buf_fini(&blob);
}

static void test_runs_end_in_time(void **state)
{
    (void)state;
    struct run_writer w;
    struct buf blob = {0};
    struct run_record record = plain(1, 1);
    run_begin(&w, &blob, 1, 1);
    unsigned count = 0;
    for (; !run_is_full(&w); count++)
        run_add(&w, &record);
    assert_int_equal(count, RUN_MAX_EVENTS);
    static char large[RUN_MAX_BYTES];
    memset(large, 'x', sizeof large);
    record.data = slice_of(large, sizeof large);
    run_begin(&w, &blob, 1, 1);
    run_add(&w, &record);
    assert_true(run_is_full(&w));
    buf_fini(&blob);
}

/* Whether all of the blob can be read without a complaint. */
static bool reads(struct slice blob)
{
    struct run_reader r;
    struct run_record record;
    int more = run_open(&r, blob, 1, 1);
    while (more == 0 && (more = run_next(&r, &record)) > 0)
        more = 0;
    return more == 0;
}

static void test_every_damage_is_found(void **state)
{
    (void)state;
    struct run_record in[] = {plain(1, 5), full(2)};
    struct buf blob = {0};
    write_run(&blob, in, 2);
    assert_true(reads(buf_slice(&blob)));
    for (size_t at = 0; at < blob.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            blob.data[at] = (char)(blob.data[at] ^ 1 << bit);
            assert_false(reads(buf_slice(&blob)));
            blob.data[at] = (char)(blob.data[at] ^ 1 << bit);
        }
    for (size_t len = 0; len < blob.len; len++)
        assert_false(reads(slice_of(blob.data, len)));
    buf_fini(&blob);
}

/* A blob with a right checksum over nonsense: written by somebody else, or by a broken program. */
static void seal(struct buf *blob)
{
    struct run_writer w = {.out = blob, .key = {1, 1}};
    assert_int_equal(run_end(&w), 0);
}

static void test_nonsense_with_a_checksum(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x08\x00\x00\x00\x00\x00\x00\x00", 8},              /* an unknown flag */
        {"\x00\x00\x00\x00\x00\x00\x00\x05", 8},              /* data longer than the blob */
        {"\x00\x00\x00\x00\x00\x00\x00", 7},                  /* a length is missing */
        {"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11}, /* a number of more than 64 bits */
        {"\x02\x00\x00", 3},                                  /* no audience */
        {"\x04\x00\x00\x00\x00\x00\x00\x00\x00", 9},          /* no places */
        {"\x04\x00\x00\x00\x00\x00\x00\x00\x41", 9},          /* too many */
        {"\x04\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00", 11}, /* two of its own */
        {"\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x01\x01", 13}, /* half an epoch */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf blob = {0};
        checked_blob_begin(&blob);
        buf_append(&blob, cases[i].bytes, cases[i].len);
        seal(&blob);
        if (reads(buf_slice(&blob)))
            fail_msg("case %zu was read", i);
        buf_fini(&blob);
    }
}

static void test_a_run_in_anothers_row_is_damaged(void **state)
{
    (void)state;
    struct run_record in[] = {plain(1, 5)};
    struct run_reader r;
    struct buf blob = {0};
    write_run(&blob, in, 1);
    assert_int_equal(run_open(&r, buf_slice(&blob), 1, 1), 0);
    assert_int_equal(run_open(&r, buf_slice(&blob), 2, 1), FAN_E_PARSE);
    assert_int_equal(run_open(&r, buf_slice(&blob), 1, 2), FAN_E_PARSE);
    buf_fini(&blob);
}

static void test_another_version_is_told_from_damage(void **state)
{
    (void)state;
    struct run_reader r;
    assert_int_equal(run_open(&r, slice_of("\x03____more", 9), 1, 1), FAN_E_UNSUPPORTED);
    assert_int_equal(run_open(&r, slice_of("\x00____more", 9), 1, 1), FAN_E_PARSE);
    assert_int_equal(run_open(&r, slice_of(NULL, 0), 1, 1), FAN_E_PARSE);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct run_writer w;
    struct buf blob = {0};
    struct run_record record = plain(1, 1);
    memory_fail_nth(1);
    run_begin(&w, &blob, 1, 1);
    run_add(&w, &record);
    assert_int_equal(run_end(&w), FAN_E_NO_MEMORY);
    memory_fail_nth(0);
    buf_fini(&blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_runs_end_in_time),
        cmocka_unit_test(test_every_damage_is_found),
        cmocka_unit_test(test_nonsense_with_a_checksum),
        cmocka_unit_test(test_a_run_in_anothers_row_is_damaged),
        cmocka_unit_test(test_another_version_is_told_from_damage),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
