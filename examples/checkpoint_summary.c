/*
 * Tells how far a build has come, from its checkpoint file.
 *
 *   checkpoint_summary FILE
 */
#include <fanfare/checkpoint.h>
#include <stdio.h>

static void print_part(const struct fan_checkpoint_part *part)
{
    printf("  %-24s %-12s %5.1f %%\n", part->id, part->status, part->progress);
}

static void print_stats(const char *what, struct fan_checkpoint_stats stats)
{
    if (stats.total)
        printf("%s: %zu of %zu completed, %zu in progress, %zu failed\n", what, stats.completed,
               stats.total, stats.in_progress, stats.failed);
}

int main(int argc, char **argv)
{
    struct fan_checkpoint *checkpoint;
    struct fan_checkpoint_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: checkpoint_summary FILE\n");
        return 2;
    }
    if (fan_checkpoint_parse_file(argv[1], &checkpoint, &error) != 0) {
        fprintf(stderr, "checkpoint_summary: %s\n", error.message);
        return 1;
    }
    printf("%s: %s, %.1f %%\n", fan_checkpoint_id(checkpoint), fan_checkpoint_status(checkpoint),
           fan_checkpoint_completion_percentage(checkpoint));
    print_stats("components", fan_checkpoint_component_stats(checkpoint));
    for (size_t i = 0; i < fan_checkpoint_component_count(checkpoint); i++)
        print_part(fan_checkpoint_component(checkpoint, i));
    print_stats("features", fan_checkpoint_feature_stats(checkpoint));
    for (size_t i = 0; i < fan_checkpoint_feature_count(checkpoint); i++)
        print_part(fan_checkpoint_feature(checkpoint, i));
    fan_checkpoint_free(checkpoint);
    return 0;
}
