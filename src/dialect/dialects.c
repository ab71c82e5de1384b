/* The list of dialects: a new one is a line here. And what they need of a server as a whole. */
#include "dialect/build.h"
#include "dialect/channels.h"
#include "dialect/client.h"
#include "dialect/dialect.h"
#include "dialect/ide.h"
#include "dialect/rooms.h"
#include "dialect/rooms_recovery.h"
#include "dialect/rooms_space.h"
#include "dialect/sse.h"
#include "fanfare/error.h"
#include "hub/topic.h"

static const struct dialect *list[HUB_MAX_DIALECTS] = {
    &build_dialect, &sse_dialect, &ide_dialect,
    &rooms_dialect, /* before channels, with which it shares /ws */
    &channels_dialect};
static unsigned count = 5;

unsigned dialect_count(void)
{
    return count;
}

const struct dialect *dialect_at(unsigned i)
{
    return list[i];
}

int dialect_register(const struct dialect *dialect)
{
    if (dialect->index >= HUB_MAX_DIALECTS || count == HUB_MAX_DIALECTS)
        return FAN_E_LIMIT;
    for (unsigned i = 0; i < count; i++)
        if (list[i]->index == dialect->index)
            return FAN_E_EXISTS;
    list[count++] = dialect;
    return 0;
}

void delivery_options_init(struct delivery_options *o)
{
    o->rooms.recovery = room_recovery_new();
}

void delivery_options_fini(struct delivery_options *o)
{
    room_spaces_free(o->rooms.spaces);
    o->rooms.spaces = NULL;
    room_recovery_free(o->rooms.recovery);
    o->rooms.recovery = NULL;
}
