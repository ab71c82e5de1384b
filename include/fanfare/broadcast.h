/*
 * Typed broadcast functions: one for each event of a build session.
 *
 * They write the event's data as JSON, check it against the event catalogue and hand it to a
 * publisher: an embedded server, a client of a remote server, or a function of your own.
 *
 *   struct fan_publisher publisher = {my_publish, my_context};
 *   fan_broadcast_component_update(&publisher, "build_123", "auth_service", "in_progress", 45.5,
 *                                  NULL);
 *
 * All functions return 0; FAN_E_INVALID when an argument is not what the event's field demands,
 * and then fan_broadcast_problem says which and why, and nothing is published; FAN_E_NO_MEMORY;
 * FAN_E_TOO_LARGE; or what the publisher's function returned. Strings are copied before they
 * return. Texts that are not valid UTF-8 are repaired: what is invalid becomes U+FFFD.
 *
 * The functions hold no state and may be called by any thread from which the publisher's own
 * function may be called.
 */
#ifndef FANFARE_BROADCAST_H
#define FANFARE_BROADCAST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where events go. */
struct fan_publisher {
    /* Publishes one event: topic "session:<id>", type "component_update", data a JSON object of
     * size bytes, not NUL-terminated, valid during the call. Returns 0 or a negative fan_error. */
    int (*publish)(void *context, const char *topic, const char *type, const char *data,
                   size_t size);
    void *context;
};

/* A component's state. status: "pending", "in_progress", "completed" or "failed" (others pass as
 * they are); progress: 0 to 100 per cent; metadata: a JSON object, NULL for an empty one. */
int fan_broadcast_component_update(const struct fan_publisher *publisher, const char *session_id,
                                   const char *component_id, const char *status, double progress,
                                   const char *metadata);

/* The same of a feature. */
int fan_broadcast_feature_update(const struct fan_publisher *publisher, const char *session_id,
                                 const char *feature_id, const char *status, double progress,
                                 const char *metadata);

/* Terminal output: size bytes as a program wrote them. output_type: "stdout" or "stderr";
 * source: who wrote it, or NULL. A code point that is cut off at either end is repaired as
 * invalid; for output that comes in pieces use a fan_terminal_stream. Text whose JSON would
 * exceed what one event may hold has to be cut by the caller. */
int fan_broadcast_terminal_output(const struct fan_publisher *publisher, const char *session_id,
                                  const char *output, size_t size, const char *output_type,
                                  const char *source);

/* A checkpoint. phase may be NULL; task_count and file_count strings are in the two lists. */
int fan_broadcast_checkpoint_update(const struct fan_publisher *publisher, const char *session_id,
                                    const char *checkpoint_id, const char *phase,
                                    const char *const *tasks_completed, size_t task_count,
                                    const char *const *files_created, size_t file_count,
                                    const char *metadata);

/* Progress of the whole build: 0 <= completed <= total; percent 0 to 100, or negative to have it
 * computed. */
int fan_broadcast_build_progress(const struct fan_publisher *publisher, const char *session_id,
                                 double total, double completed, double percent);

/* A changed file. change_type: "created", "modified", "deleted" or "moved"; content: its size
 * bytes of text, or NULL; more than 64 KiB are left out and marked `truncated`. */
int fan_broadcast_file_change(const struct fan_publisher *publisher, const char *session_id,
                              const char *file_path, const char *change_type, const char *content,
                              size_t size);

/* An error. error_type and traceback may be NULL. */
int fan_broadcast_error(const struct fan_publisher *publisher, const char *session_id,
                        const char *error_message, const char *error_type, const char *traceback);

/* Why the last call on this thread returned FAN_E_INVALID: "progress must be a number from 0 to
 * 100, got 140". Never NULL; valid until the thread's next call. */
const char *fan_broadcast_problem(void);

/* A program's output that comes in pieces of any size. The beginning of a code point at a piece's
 * end waits for the next piece. Starts as {0}; one for each of a program's streams; owns no
 * memory. */
struct fan_terminal_stream {
    unsigned char waiting[3];
    unsigned char count;
};

/* Publishes a piece as terminal_output; nothing when no code point became whole. After a failure
 * of the publisher the piece counts as taken. */
int fan_terminal_stream_write(struct fan_terminal_stream *stream,
                              const struct fan_publisher *publisher, const char *session_id,
                              const char *output, size_t size, const char *output_type,
                              const char *source);

/* At the output's end: publishes U+FFFD for a code point that never became whole. The stream may
 * be used again. */
int fan_terminal_stream_finish(struct fan_terminal_stream *stream,
                               const struct fan_publisher *publisher, const char *session_id,
                               const char *output_type, const char *source);

#ifdef __cplusplus
}
#endif
#endif
