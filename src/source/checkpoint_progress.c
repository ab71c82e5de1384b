/* What a checkpoint tells: its parts one by one, how far the build is, and in what state. */
#include <math.h>

#include "source/checkpoint.h"

const char *fan_checkpoint_id(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->id;
}

const char *fan_checkpoint_phase(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->phase;
}

const char *fan_checkpoint_timestamp(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->timestamp;
}

const char *fan_checkpoint_written_status(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->written_status;
}

const char *fan_checkpoint_error_text(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->error;
}

const char *fan_checkpoint_metadata(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->metadata;
}

size_t fan_checkpoint_task_count(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->tasks.count;
}

const char *fan_checkpoint_task(const struct fan_checkpoint *checkpoint, size_t index)
{
    return index < checkpoint->tasks.count ? checkpoint->tasks.items[index] : NULL;
}

size_t fan_checkpoint_file_count(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->files.count;
}

const char *fan_checkpoint_file(const struct fan_checkpoint *checkpoint, size_t index)
{
    return index < checkpoint->files.count ? checkpoint->files.items[index] : NULL;
}

size_t fan_checkpoint_component_count(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->components.count;
}

const struct fan_checkpoint_part *fan_checkpoint_component(const struct fan_checkpoint *checkpoint,
                                                           size_t index)
{
    return index < checkpoint->components.count ? &checkpoint->components.items[index] : NULL;
}

size_t fan_checkpoint_feature_count(const struct fan_checkpoint *checkpoint)
{
    return checkpoint->features.count;
}

const struct fan_checkpoint_part *fan_checkpoint_feature(const struct fan_checkpoint *checkpoint,
                                                         size_t index)
{
    return index < checkpoint->features.count ? &checkpoint->features.items[index] : NULL;
}

static double one_decimal(double percentage)
{
    return round(percentage * 10) / 10;
}

/* Weighted mean of the progress; weights that are all 0 say nothing and count as equal. */
static double mean_progress(const struct checkpoint_parts *parts)
{
    double sum = 0, plain = 0, weights = 0;
    for (size_t i = 0; i < parts->count; i++) {
        sum += parts->items[i].progress * parts->items[i].weight;
        plain += parts->items[i].progress;
        weights += parts->items[i].weight;
    }
    return weights > 0 ? sum / weights : parts->count ? plain / (double)parts->count : 0;
}

static struct fan_checkpoint_stats stats_of(const struct checkpoint_parts *parts)
{
    struct fan_checkpoint_stats stats = {.total = parts->count};
    for (size_t i = 0; i < parts->count; i++) {
        const char *status = parts->items[i].status;
        stats.completed += strcmp(status, "completed") == 0;
        stats.in_progress += strcmp(status, "in_progress") == 0;
        stats.pending += strcmp(status, "pending") == 0;
        stats.failed += strcmp(status, "failed") == 0;
    }
    stats.completion_percentage = one_decimal(mean_progress(parts));
    return stats;
}

struct fan_checkpoint_stats fan_checkpoint_component_stats(const struct fan_checkpoint *checkpoint)
{
    return stats_of(&checkpoint->components);
}

struct fan_checkpoint_stats fan_checkpoint_feature_stats(const struct fan_checkpoint *checkpoint)
{
    return stats_of(&checkpoint->features);
}

/* Before rounding, so that 99.96 % is not taken for the end. */
static double exact_percentage(const struct fan_checkpoint *checkpoint)
{
    return mean_progress(checkpoint->components.count ? &checkpoint->components
                                                      : &checkpoint->features);
}

double fan_checkpoint_completion_percentage(const struct fan_checkpoint *checkpoint)
{
    return one_decimal(exact_percentage(checkpoint));
}

const char *fan_checkpoint_status(const struct fan_checkpoint *checkpoint)
{
    struct fan_checkpoint_stats components = stats_of(&checkpoint->components);
    if (checkpoint->error || components.failed)
        return "failed";
    if (components.total && components.completed == components.total)
        return "completed";
    if (exact_percentage(checkpoint) >= 100 - 1e-9) /* a sum of weights is not exact */
        return "completed";
    if (components.in_progress || stats_of(&checkpoint->features).in_progress ||
        strncmp(checkpoint->phase, "build_", 6) == 0)
        return "in_progress";
    return "pending";
}

struct fan_checkpoint_progress
fan_checkpoint_overall_progress(const struct fan_checkpoint *checkpoint)
{
    return (struct fan_checkpoint_progress){
        .tasks_completed = checkpoint->tasks.count,
        .files_created = checkpoint->files.count,
        .completion_percentage = fan_checkpoint_completion_percentage(checkpoint),
        .status = fan_checkpoint_status(checkpoint),
    };
}
