/* From one checkpoint to the next; see watch_progress.h. */
#include "source/watch_progress.h"

#include "base/clock.h"
#include "base/memory.h"

/* A component or feature of the last checkpoint: its id and status stand behind it. */
struct part {
    double progress;
    const char *status;
    char id[];
};

static struct slice part_key(const void *part)
{
    return slice_from(((const struct part *)part)->id);
}

static void clear(struct map *parts)
{
    MAP_EACH (i, parts)
        memory_free(parts->slots[i].object);
    map_fini(parts);
}

static void fill(struct map *parts, const struct checkpoint_parts *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct fan_checkpoint_part *p = &from->items[i];
        size_t id = strlen(p->id) + 1, status = strlen(p->status) + 1;
        struct part *part = memory_alloc(sizeof *part + id + status);
        memcpy(part->id, p->id, id);
        part->status = memcpy(part->id + id, p->status, status);
        part->progress = p->progress;
        map_put(parts, part);
    }
}

void progress_init(struct watch_progress *progress)
{
    *progress = (struct watch_progress){0};
    map_init(&progress->components, part_key);
    map_init(&progress->features, part_key);
}

void progress_fini(struct watch_progress *progress)
{
    clear(&progress->components);
    clear(&progress->features);
}

void progress_adopt(struct watch_progress *progress, const struct fan_checkpoint *checkpoint,
                    int64_t written_ns)
{
    clear(&progress->components);
    clear(&progress->features);
    fill(&progress->components, &checkpoint->components);
    fill(&progress->features, &checkpoint->features);
    progress->newest_ns = written_ns;
}

static void report_parts(const struct map *last, struct watch_events *events,
                         const struct checkpoint_parts *parts, const char *type,
                         const char *id_name)
{
    for (size_t i = 0; i < parts->count; i++) {
        const struct fan_checkpoint_part *now = &parts->items[i];
        const struct part *before = map_get(last, slice_from(now->id));
        if (!before || before->progress != now->progress ||
            strcmp(before->status, now->status) != 0)
            watch_event_part(events, type, id_name, now);
    }
}

void progress_report(struct watch_progress *progress, struct watch_events *events,
                     const struct fan_checkpoint *checkpoint, int64_t written_ns)
{
    if (progress->newest_ns > clock_wall_ms() * 1000000 + 999999)
        progress->newest_ns = 0; /* the clock was set back; times before that say nothing */
    watch_event_checkpoint(events, checkpoint);
    if (written_ns < progress->newest_ns)
        return;
    struct fan_checkpoint_stats stats = fan_checkpoint_component_stats(checkpoint);
    report_parts(&progress->components, events, &checkpoint->components, "component_update",
                 "component_id");
    report_parts(&progress->features, events, &checkpoint->features, "feature_update",
                 "feature_id");
    /* Without components there is nothing to count, and what another tool reports stands. */
    if (stats.total || progress->components.count)
        watch_event_progress(events, stats.total, stats.completed);
    progress_adopt(progress, checkpoint, written_ns);
}
