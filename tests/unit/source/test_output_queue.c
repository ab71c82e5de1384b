/* The way of a command's output to the publisher: order, batches, and what is left out when there
 * is too much of it. */
#include "../test.h"

#include "base/clock.h"
#include "base/memory.h"
#include "source/output_queue.h"

#define KIB 1024

static struct output_piece *first(struct list *pieces)
{
    assert_false(list_empty(pieces));
    return CONTAINER(pieces->next, struct output_piece, link);
}

/* Takes what is there, and checks the first piece. */
static void expect_piece(struct list *pieces, unsigned stream, uint64_t left_out, const char *text)
{
    struct output_piece *piece = first(pieces);
    assert_int_equal(piece->stream, stream);
    assert_int_equal(piece->left_out, left_out);
    assert_int_equal(piece->len, strlen(text));
    assert_memory_equal(piece->data, text, piece->len);
    list_remove(&piece->link);
    memory_free(piece);
}

static void test_order_and_streams(void **state)
{
    struct output_queue q;
    struct list pieces;
    (void)state;
    output_queue_init(&q, 1024 * KIB);
    list_init(&pieces);
    output_queue_append(&q, 0, SLICE("one "));
    output_queue_append(&q, 0, SLICE("two"));
    output_queue_append(&q, 1, SLICE("error"));
    output_queue_append(&q, 0, SLICE("three"));
    assert_true(output_queue_take(&q, 0, 0, &pieces));
    expect_piece(&pieces, 0, 0, "one two");
    expect_piece(&pieces, 1, 0, "error");
    expect_piece(&pieces, 0, 0, "three");
    assert_true(list_empty(&pieces));
    output_queue_append(&q, 1, SLICE("last"));
    output_queue_close(&q);
    assert_true(output_queue_take(&q, 60000, 60000, &pieces)); /* does not wait */
    expect_piece(&pieces, 1, 0, "last");
    assert_false(output_queue_take(&q, 60000, 60000, &pieces));
    output_queue_fini(&q);
}

static void test_waits_for_a_batch(void **state)
{
    struct output_queue q;
    struct list pieces;
    (void)state;
    output_queue_init(&q, 1024 * KIB);
    list_init(&pieces);
    output_queue_append(&q, 0, SLICE("x"));
    uint64_t start = clock_ms();
    assert_true(output_queue_take(&q, 30, 10000, &pieces));
    assert_true(clock_ms() - start >= 25);
    expect_piece(&pieces, 0, 0, "x");
    assert_true(output_queue_take(&q, 10000, 30, &pieces)); /* patience ends first */
    assert_true(list_empty(&pieces));
    char *full = memory_zero(OUTPUT_PIECE_SIZE);
    output_queue_append(&q, 0, slice_of(full, OUTPUT_PIECE_SIZE));
    assert_true(output_queue_take(&q, 60000, 60000, &pieces)); /* a full piece does not wait */
    assert_int_equal(first(&pieces)->len, OUTPUT_PIECE_SIZE);
    memory_free(first(&pieces));
    memory_free(full);
    output_queue_fini(&q);
}

static void *append_later(void *arg)
{
    output_queue_append(arg, 0, SLICE("woken"));
    output_queue_close(arg);
    return NULL;
}

static void test_reader_is_woken(void **state)
{
    struct output_queue q;
    struct list pieces;
    pthread_t writer;
    (void)state;
    output_queue_init(&q, 1024 * KIB);
    list_init(&pieces);
    assert_int_equal(pthread_create(&writer, NULL, append_later, &q), 0);
    while (list_empty(&pieces))
        assert_true(output_queue_take(&q, 60000, 60000, &pieces));
    expect_piece(&pieces, 0, 0, "woken");
    pthread_join(writer, NULL);
    output_queue_fini(&q);
}

/* The oldest is left out, the newest stays, and every byte is accounted for. */
static void test_queue_overflow(void **state)
{
    struct output_queue q;
    struct list pieces;
    char block[10 * KIB];
    uint64_t kept = 0, left_out = 0, count = 0;
    (void)state;
    output_queue_init(&q, 256 * KIB);
    list_init(&pieces);
    for (int i = 0; i < 100; i++) {
        memset(block, 'a' + i % 26, sizeof block);
        output_queue_append(&q, 0, slice_of(block, sizeof block));
    }
    assert_true(output_queue_take(&q, 0, 0, &pieces));
    char last = 0;
    LIST_EACH (link, &pieces) {
        struct output_piece *piece = CONTAINER(link, struct output_piece, link);
        assert_true(piece->left_out == 0 || count == 0); /* said once, at the front */
        left_out += piece->left_out;
        kept += piece->len;
        last = piece->data[piece->len - 1];
        count++;
        memory_free(piece);
    }
    assert_int_equal(kept + left_out, 100 * sizeof block);
    assert_true(kept <= 256 * KIB && kept >= 192 * KIB);
    assert_int_equal(last, 'a' + 99 % 26);
    output_queue_fini(&q);
}

/* The reader says how much may lie there: from then on, not at once. */
static void test_limit(void **state)
{
    struct output_queue q;
    struct list pieces;
    char *block = memory_zero(OUTPUT_PIECE_SIZE);
    size_t kept = 0;
    (void)state;
    output_queue_init(&q, 4 * OUTPUT_PIECE_SIZE);
    list_init(&pieces);
    for (int i = 0; i < 4; i++)
        output_queue_append(&q, 0, slice_of(block, OUTPUT_PIECE_SIZE));
    output_queue_set_limit(&q, 2 * OUTPUT_PIECE_SIZE);
    assert_int_equal(q.bytes, 4 * OUTPUT_PIECE_SIZE);
    output_queue_append(&q, 0, slice_of(block, OUTPUT_PIECE_SIZE));
    assert_true(output_queue_take(&q, 0, 0, &pieces));
    assert_int_equal(first(&pieces)->left_out, 3 * OUTPUT_PIECE_SIZE);
    LIST_EACH (link, &pieces) {
        kept += CONTAINER(link, struct output_piece, link)->len;
        memory_free(CONTAINER(link, struct output_piece, link));
    }
    assert_int_equal(kept, 2 * OUTPUT_PIECE_SIZE);
    memory_free(block);
    output_queue_fini(&q);
}

static void test_no_memory(void **state)
{
    struct output_queue q;
    struct list pieces;
    (void)state;
    output_queue_init(&q, 256 * KIB);
    list_init(&pieces);
    memory_fail_nth(1);
    output_queue_append(&q, 0, SLICE("lost"));
    output_queue_append(&q, 0, SLICE("kept"));
    assert_true(output_queue_take(&q, 0, 0, &pieces));
    expect_piece(&pieces, 0, 4, "kept");
    output_queue_fini(&q);
}

/* ---- The backlog ---- */

static struct output_piece *make_piece(unsigned stream, size_t len, char byte)
{
    struct output_piece *piece = memory_alloc(sizeof *piece + OUTPUT_PIECE_SIZE);
    *piece = (struct output_piece){.stream = stream, .len = len, .cap = OUTPUT_PIECE_SIZE};
    memset(piece->data, byte, len);
    return piece;
}

static void test_backlog_joins(void **state)
{
    struct output_backlog b;
    (void)state;
    output_backlog_init(&b, 1024 * KIB);
    for (int i = 0; i < 1000; i++)
        output_backlog_add(&b, make_piece(0, 10, 'a'));
    assert_true(b.cost < 64 * KIB);
    assert_int_equal(b.bytes, 10000);
    output_backlog_add(&b, make_piece(1, 5, 'e'));
    struct output_piece *piece = output_backlog_take(&b);
    assert_int_equal(piece->len, 10000);
    memory_free(piece);
    piece = output_backlog_take(&b);
    assert_int_equal(piece->stream, 1);
    assert_int_equal(piece->len, 5);
    memory_free(piece);
    assert_null(output_backlog_take(&b));
    assert_int_equal(b.cost, 0);
    assert_int_equal(b.bytes, 0);
    output_backlog_fini(&b);
}

static void test_backlog_overflow(void **state)
{
    struct output_backlog b;
    uint64_t kept = 0, left_out = 0;
    struct output_piece *piece;
    (void)state;
    output_backlog_init(&b, 256 * KIB);
    for (int i = 0; i < 40; i++)
        output_backlog_add(&b, make_piece(i % 2, 20 * KIB, (char)('a' + i)));
    assert_true(b.cost <= 256 * KIB);
    assert_int_equal(b.left_out + b.bytes, 40 * 20 * KIB);
    while ((piece = output_backlog_take(&b))) {
        assert_true(piece->left_out == 0 || kept == 0);
        left_out += piece->left_out;
        kept += piece->len;
        memory_free(piece);
    }
    assert_int_equal(left_out, b.left_out);
    assert_int_equal(left_out + kept, 40 * 20 * KIB);
    output_backlog_fini(&b);
}

/* A gap that the queue had already is not joined over. */
static void test_backlog_keeps_gaps(void **state)
{
    struct output_backlog b;
    (void)state;
    output_backlog_init(&b, 256 * KIB);
    output_backlog_add(&b, make_piece(0, 3, 'a'));
    struct output_piece *piece = make_piece(0, 3, 'b');
    piece->left_out = 77;
    output_backlog_add(&b, piece);
    assert_int_equal(b.left_out, 77);
    piece = output_backlog_take(&b);
    assert_int_equal(piece->len, 3);
    memory_free(piece);
    piece = output_backlog_take(&b);
    assert_int_equal(piece->left_out, 77);
    memory_free(piece);
    output_backlog_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_streams),
        cmocka_unit_test(test_waits_for_a_batch),
        cmocka_unit_test(test_reader_is_woken),
        cmocka_unit_test(test_queue_overflow),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_backlog_joins),
        cmocka_unit_test(test_backlog_overflow),
        cmocka_unit_test(test_backlog_keeps_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
