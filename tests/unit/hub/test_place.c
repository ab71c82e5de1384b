/* Accepting in two steps, with the writing in between played by the test. */
#include "hub_fixture.h"

#include "hub/placing.h"

static struct hub *hub;

static void never(struct engine *engine, struct publish_batch *batch)
{
    (void)engine;
    (void)batch;
    fail_msg("the test publishes by itself");
}

static void engine_free(struct engine *engine)
{
    memory_free(engine);
}

static const struct engine_ops ops = {
    .name = "test", .durable = true, .publish = never, .free = engine_free};

static int set_up(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    struct engine *engine = memory_zero(sizeof *engine);
    engine->ops = &ops;
    hub = hub_new(&config);
    hub_set_engine(hub, engine);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_free(hub);
    return 0;
}

/* One event in a batch of its own. */
struct parcel {
    struct slice names[4];
    struct publish_item item, *pointer;
    struct publish_batch batch;
};

/* Returns what hub_accept_now says. */
static bool give_draft(struct parcel *p, struct draft d)
{
    unsigned places = 0;
    for (; d.topics[places]; places++)
        p->names[places] = slice_from(d.topics[places]);
    p->item = (struct publish_item){.event = make_event(&d, places), .topics = p->names};
    p->pointer = &p->item;
    p->batch = (struct publish_batch){.items = &p->pointer, .count = 1, .done = ignore_done};
    return hub_accept_now(hub, &p->batch);
}

#define give(p, ...) give_draft((p), (struct draft){__VA_ARGS__})

static void drop(struct parcel *p)
{
    event_unref(p->item.event);
}

static uint64_t offset_of(const struct parcel *p, unsigned place)
{
    return p->item.event->places[place].offset;
}

static void note_offset(void *arg, const struct topic_info *info)
{
    *(uint64_t *)arg = info->offset;
}

static uint64_t last_offset(const char *topic)
{
    uint64_t offset = 0;
    hub_topic_info(hub, slice_from(topic), note_offset, &offset);
    return offset;
}

static void test_nobody_sees_what_is_placed(void **state)
{
    (void)state;
    struct parcel a, b;
    uint64_t seq = stats_of(hub).seq;
    assert_false(give(&a, .topics = {"session:a"}));
    assert_false(give(&b, .topics = {"session:a"}));
    a.batch.next = &b.batch;
    b.batch.next = NULL;
    assert_true(hub_place(hub, &a.batch) == seq + PLACE_AHEAD + 2);
    assert_int_equal(offset_of(&a, 0), 1);
    assert_int_equal(offset_of(&b, 0), 2);
    assert_int_equal(last_offset("session:a"), 0);
    assert_true(stats_of(hub).seq == seq);
    hub_deliver(hub, &a.batch);
    assert_int_equal(last_offset("session:a"), 2);
    assert_true(stats_of(hub).seq == seq + PLACE_AHEAD + 2);
    drop(&a);
    drop(&b);
}

static void test_what_cannot_be_written_leaves_no_trace(void **state)
{
    (void)state;
    struct parcel a, again;
    assert_false(give(&a, .topics = {"session:a", "channel:x"}, .id = "one"));
    assert_false(give(&again, .topics = {"session:a", "channel:x"}, .id = "one"));
    a.batch.next = &again.batch;
    again.batch.next = NULL;
    hub_place(hub, &a.batch);
    hub_unplace(hub, &a.batch, FAN_E_IO, "the disk is full");
    hub_deliver(hub, &a.batch);
    assert_int_equal(a.item.error, FAN_E_IO);
    assert_int_equal(again.item.error, FAN_E_IO);
    assert_string_equal(a.batch.reason, "the disk is full");
    assert_int_equal(last_offset("session:a"), 0);
    assert_int_equal(last_offset("channel:x"), 0);
    drop(&a);
    drop(&again);
    assert_false(give(&a, .topics = {"session:a", "channel:x"}, .id = "one"));
    a.batch.next = NULL;
    hub_place(hub, &a.batch);
    hub_deliver(hub, &a.batch);
    assert_int_equal(a.item.error, 0);
    assert_false(a.item.duplicate);
    assert_int_equal(offset_of(&a, 0), 1);
    assert_int_equal(offset_of(&a, 1), 1);
    drop(&a);
}

static void test_a_repetition_in_one_commit_is_found(void **state)
{
    (void)state;
    struct parcel a, again, other;
    give(&a, .topics = {"channel:x", "session:a"}, .id = "one");
    give(&again, .topics = {"channel:x", "session:a"}, .id = "one");
    give(&other, .topics = {"session:a", "session:b"}, .id = "one");
    a.batch.next = &again.batch;
    again.batch.next = &other.batch;
    other.batch.next = NULL;
    hub_place(hub, &a.batch);
    hub_deliver(hub, &a.batch);
    assert_true(again.item.duplicate);
    assert_int_equal(again.item.error, 0);
    assert_int_equal(offset_of(&again, 0), 1);
    assert_int_equal(offset_of(&again, 1), 1);
    assert_int_equal(other.item.error, FAN_E_EXISTS);
    assert_int_equal(last_offset("session:b"), 0);
    drop(&a);
    drop(&again);
    drop(&other);
}

static void test_memory_goes_on_meanwhile(void **state)
{
    (void)state;
    struct parcel a, now, behind, ephemeral;
    assert_false(give(&a, .topics = {"session:a", "channel:busy"}));
    a.batch.next = NULL;
    hub_place(hub, &a.batch);
    assert_true(give(&now, .topics = {"channel:x"}));
    assert_int_equal(offset_of(&now, 0), 1);
    assert_true(now.item.event->seq < a.item.event->seq);
    assert_true(give(&ephemeral, .topics = {"session:b"}, .ephemeral = true));
    drop(&ephemeral);
    /* These would overtake what is under way in their topics. */
    assert_false(give(&behind, .topics = {"channel:busy"}));
    assert_false(give(&ephemeral, .topics = {"session:a"}, .ephemeral = true));
    hub_unplace(hub, &a.batch, FAN_E_IO, "the disk is full");
    hub_deliver(hub, &a.batch);
    behind.batch.next = &ephemeral.batch;
    ephemeral.batch.next = NULL;
    hub_place(hub, &behind.batch);
    hub_unplace(hub, &behind.batch, FAN_E_IO, "the disk is full");
    hub_deliver(hub, &behind.batch);
    assert_int_equal(behind.item.error, 0);
    assert_int_equal(offset_of(&behind, 0), 1);
    assert_int_equal(ephemeral.item.error, 0);
    drop(&a);
    drop(&now);
    drop(&behind);
    drop(&ephemeral);
}

static void test_refused_before_it_was_placed(void **state)
{
    (void)state;
    struct parcel a, b;
    assert_false(give(&a, .topics = {"session:a", "channel:x"}));
    hub_refuse(hub, &a.batch, FAN_E_BUSY);
    assert_int_equal(a.item.error, FAN_E_BUSY);
    assert_true(give(&b, .topics = {"channel:x"})); /* nothing is under way there any more */
    assert_int_equal(offset_of(&b, 0), 1);
    drop(&a);
    drop(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_sees_what_is_placed),
        TEST(test_what_cannot_be_written_leaves_no_trace),
        TEST(test_a_repetition_in_one_commit_is_found),
        TEST(test_memory_goes_on_meanwhile),
        TEST(test_refused_before_it_was_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
