/*
 * Checkpoint files: the JSON files in which a build tool writes down how far it has come.
 *
 *   struct fan_checkpoint *checkpoint;
 *   struct fan_checkpoint_error error;
 *   if (fan_checkpoint_parse_file("checkpoint_1.json", &checkpoint, &error) != 0) {
 *       fprintf(stderr, "%s\n", error.message);
 *       return 1;
 *   }
 *   printf("%s: %.1f %%\n", fan_checkpoint_phase(checkpoint),
 *          fan_checkpoint_completion_percentage(checkpoint));
 *   fan_checkpoint_free(checkpoint);
 *
 * A file is taken whole or refused whole. A parsed checkpoint never changes, so any number of
 * threads may read it at once. All texts are UTF-8.
 */
#ifndef FANFARE_CHECKPOINT_H
#define FANFARE_CHECKPOINT_H

#include <stddef.h>

#include "fanfare/error.h"
#include "fanfare/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Largest checkpoint that is read, in bytes. */
#define FAN_CHECKPOINT_MAX_SIZE (64u << 20)

struct fan_checkpoint;

struct fan_checkpoint_error {
    char message[512];     /* "FILE:LINE:COLUMN: what is wrong and what was expected" */
    unsigned line, column; /* from 1; columns count bytes. 1:1 when it concerns the file itself */
};

/*
 * Reads and parses the file. Returns 0 and a checkpoint to be freed with fan_checkpoint_free, or
 *   FAN_E_NOT_FOUND  there is no such file
 *   FAN_E_DENIED     it may not be read
 *   FAN_E_IO         it is a directory or another thing that is no file, or reading failed
 *   FAN_E_TOO_LARGE  it has more than FAN_CHECKPOINT_MAX_SIZE bytes
 *   FAN_E_TRUNCATED  it is empty or ends in the middle of the JSON text
 *   FAN_E_PARSE      it is not JSON
 *   FAN_E_INVALID    it is JSON, but a member has a wrong type or value
 *   FAN_E_NO_MEMORY
 * with *error filled (error may be NULL) and *checkpoint NULL. Blocks on the disk. Any thread.
 */
int fan_checkpoint_parse_file(const char *path, struct fan_checkpoint **checkpoint,
                              struct fan_checkpoint_error *error);

/* The same for a text in memory. name: the file's name for messages, and for the id of a
 * checkpoint that has none ("checkpoint_1" from "dir/checkpoint_1.json"). */
int fan_checkpoint_parse(const char *text, size_t len, const char *name,
                         struct fan_checkpoint **checkpoint, struct fan_checkpoint_error *error);

/* NULL is allowed. */
void fan_checkpoint_free(struct fan_checkpoint *checkpoint);

/* What the following functions return belongs to the checkpoint and lives as long as it does. */

/* Never NULL, never empty. */
const char *fan_checkpoint_id(const struct fan_checkpoint *checkpoint);

/* As written in the file; "" when left out. */
const char *fan_checkpoint_phase(const struct fan_checkpoint *checkpoint);
const char *fan_checkpoint_timestamp(const struct fan_checkpoint *checkpoint);
const char *fan_checkpoint_written_status(const struct fan_checkpoint *checkpoint);

/* "failed", "completed", "in_progress" or "pending", worked out in this order: an error or a
 * failed component; all components completed or 100 %; anything in progress or a phase that
 * begins with "build_"; else pending. */
const char *fan_checkpoint_status(const struct fan_checkpoint *checkpoint);

/* What went wrong with the build, in words; NULL when the checkpoint names no error. */
const char *fan_checkpoint_error_text(const struct fan_checkpoint *checkpoint);

/* The checkpoint's metadata, the text of a JSON object; "{}" when left out. */
const char *fan_checkpoint_metadata(const struct fan_checkpoint *checkpoint);

/* The tasks completed and files created; NULL for an index out of range. */
size_t fan_checkpoint_task_count(const struct fan_checkpoint *checkpoint);
const char *fan_checkpoint_task(const struct fan_checkpoint *checkpoint, size_t index);
size_t fan_checkpoint_file_count(const struct fan_checkpoint *checkpoint);
const char *fan_checkpoint_file(const struct fan_checkpoint *checkpoint, size_t index);

/* A component or a feature. */
struct fan_checkpoint_part {
    const char *id;
    const char *status;   /* as written; "pending" when left out */
    double progress;      /* 0 to 100; left out: 100 when completed, else 0 */
    double weight;        /* 1 when left out */
    const char *metadata; /* the text of a JSON object; "{}" when left out */
};

/* In the order of the file; NULL for an index out of range. */
size_t fan_checkpoint_component_count(const struct fan_checkpoint *checkpoint);
const struct fan_checkpoint_part *fan_checkpoint_component(const struct fan_checkpoint *checkpoint,
                                                           size_t index);
size_t fan_checkpoint_feature_count(const struct fan_checkpoint *checkpoint);
const struct fan_checkpoint_part *fan_checkpoint_feature(const struct fan_checkpoint *checkpoint,
                                                         size_t index);

/* A part with another status than these four counts in the total only. */
struct fan_checkpoint_stats {
    size_t total, completed, in_progress, pending, failed;
    double completion_percentage; /* weighted mean of the progress, one decimal; 0 for none */
};

struct fan_checkpoint_stats fan_checkpoint_component_stats(const struct fan_checkpoint *checkpoint);
struct fan_checkpoint_stats fan_checkpoint_feature_stats(const struct fan_checkpoint *checkpoint);

struct fan_checkpoint_progress {
    size_t tasks_completed, files_created;
    double completion_percentage; /* of the components; without any, of the features; else 0 */
    const char *status;
};

struct fan_checkpoint_progress
fan_checkpoint_overall_progress(const struct fan_checkpoint *checkpoint);
double fan_checkpoint_completion_percentage(const struct fan_checkpoint *checkpoint);

/*
 * As JSON text, NUL-terminated, to be freed with fan_free; NULL when there is no memory.
 *
 * json: the document as it was written, with component_stats, feature_stats and overall_progress
 *   added (or replaced).
 * summary: {id, timestamp, phase, status, error, component_stats, feature_stats,
 *   overall_progress}; error only when there is one.
 * component_updates: [{component_id, status, progress, metadata}, …]; feature_updates likewise
 *   with feature_id.
 */
char *fan_checkpoint_json(const struct fan_checkpoint *checkpoint);
char *fan_checkpoint_summary(const struct fan_checkpoint *checkpoint);
char *fan_checkpoint_component_updates(const struct fan_checkpoint *checkpoint);
char *fan_checkpoint_feature_updates(const struct fan_checkpoint *checkpoint);

#ifdef __cplusplus
}
#endif
#endif
