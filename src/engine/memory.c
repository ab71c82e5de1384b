/*
 * Engine `memory`: the hub's own order and history are all there is, so a publish is accepted, and
 * answered, on the publisher's thread.
 */
#include "engine/memory.h"

#include "base/memory.h"

static void publish(struct engine *engine, struct publish_batch *batch)
{
    hub_accept(engine->hub, batch);
    batch->done(batch);
}

static void memory_engine_free(struct engine *engine)
{
    memory_free(engine);
}

static const struct engine_ops memory_ops = {
    .name = "memory",
    .durable = false,
    .publish = publish,
    .free = memory_engine_free,
};

struct engine *engine_memory_new(void)
{
    struct engine *engine = memory_zero(sizeof *engine);
    engine->ops = &memory_ops;
    return engine;
}
