/* One worker with two readers, made anew for each test. */
#ifndef FANOUT_SETUP_H
#define FANOUT_SETUP_H

#include "fanout_fixture.h"

static struct hub *hub;
static struct fanout fanout;
static struct fake_sink sink;
static struct reader *r, *other;

static inline void open_with(const struct hub_config *config)
{
    hub = hub_new(config);
    fanout_init(&fanout, hub, 0, &fake_sink, &sink);
    r = reader_new(&fanout, 1u << 20);
    other = reader_new(&fanout, 1u << 20);
}

static inline int open_fanout(void **state)
{
    (void)state;
    struct hub_config config = roomy(2);
    open_with(&config);
    return 0;
}

static inline int close_fanout(void **state)
{
    (void)state;
    memory_fail_nth(0);
    reader_free(r);
    reader_free(other);
    fanout_fini(&fanout);
    hub_free(hub);
    return 0;
}

static inline void reopen(const struct hub_config *config)
{
    close_fanout(NULL);
    open_with(config);
}

static inline void assert_got(struct reader *reader, const char *expected)
{
    settle(&fanout, reader);
    assert_string_equal(numbers(reader), expected);
}

static inline struct start_point cursor(uint64_t seq)
{
    return (struct start_point){START_CURSOR, seq, hub_epoch(hub)};
}

static inline struct start_point beginning(void)
{
    return (struct start_point){START_BEGINNING, 0, 0};
}

/* Takes only these custom types. */
static inline struct event_filter *only(const char *type)
{
    struct event_filter *f = memory_zero(sizeof *f);
    f->custom = memory_zero(sizeof *f->custom);
    f->custom[0] = memory_copy_string(slice_from(type));
    f->custom_count = 1;
    return f;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fanout, close_fanout)

#endif
