/* The memory engine: a publish is accepted and answered before it returns. */
#include "../hub/hub_fixture.h"

#include "engine/memory.h"

static unsigned answers;

static void count_answer(struct publish_batch *batch)
{
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->items[0]->event->places[0].offset, 1);
    assert_int_equal(batch->items[1]->event->places[0].offset, 2);
    answers++;
}

static void test_publish_is_answered_at_once(void **state)
{
    (void)state;
    struct hub_config config = roomy(1);
    struct hub *hub = hub_new(&config);
    hub_set_engine(hub, engine_memory_new());
    assert_string_equal(hub_engine_name(hub), "memory");
    const struct draft draft = {.topics = {"session:a"}};
    const struct slice name = SLICE("session:a");
    struct publish_item items[] = {{.event = make_event(&draft, 1), .topics = &name},
                                   {.event = make_event(&draft, 1), .topics = &name}};
    struct publish_item *pointers[] = {&items[0], &items[1]};
    struct publish_batch batch = {.items = pointers, .count = 2, .done = count_answer};
    hub_publish(hub, &batch);
    assert_int_equal(answers, 1);
    assert_int_equal(stats_of(hub).published, 2);
    event_unref(items[0].event);
    event_unref(items[1].event);
    hub_free(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_publish_is_answered_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
