/*
 * The sections of a session state, for session_state.c and the sections' own files alone.
 *
 * A section is a struct inside session_state, a file, and a row in session_state.c's table. Fold
 * functions return false when memory ran out.
 */
#ifndef HUB_SESSION_SECTIONS_H
#define HUB_SESSION_SECTIONS_H

#include "base/list.h"
#include "base/map.h"
#include "codec/json_writer.h"
#include "hub/session_state.h"

#define SESSION_ITEMS_MAX     10000
#define SESSION_ID_MAX        512         /* bytes of an id; things with longer ones are not kept */
#define SESSION_METADATA_MAX  (16 * 1024) /* of one thing; longer: null */
#define SESSION_METADATA_ALL  (4 * 1024 * 1024)
#define SESSION_TERMINAL_TAIL (64 * 1024)
#define SESSION_ERRORS        20
#define SESSION_UPDATES       20
#define SESSION_MESSAGES      40 /* of a conversation: 20 turns */
#define SESSION_EXECUTIONS    20
#define SESSION_FILES         64
#define SESSION_FILES_ALL     (4 * 1024 * 1024) /* text of all of them, as JSON */

struct session_event {
    const struct event_type *type; /* NULL: custom */
    struct slice data;
    int64_t time;
};

/* ---- Bytes that are kept (session_kept.c) ---- */

struct kept {
    char *ptr; /* NULL: nothing */
    uint32_t len;
};

/* Replaces the content. False: no memory, and then it is empty. text.ptr NULL empties it. */
bool kept_set(struct kept *kept, struct slice text);
void kept_clear(struct kept *kept);

static inline struct slice kept_slice(const struct kept *kept)
{
    return slice_of(kept->ptr, kept->len);
}

/* Replaces the content with the JSON of a string value; content of more than `longest` bytes is
 * cut there, on a code point boundary, and ends with an ellipsis. */
bool kept_set_string(struct kept *kept, struct json_value string, size_t longest);

/* The named members of an object, in one walk: bit i of the result says that values[i] was set.
 * Members that are null count as absent. */
unsigned session_pick(struct slice object, const struct slice *names, unsigned count,
                      struct json_value *values);

/* A string's content: in place where it has no escapes, else resolved into *scratch. False: no
 * memory. */
bool session_text(struct json_value string, struct buf *scratch, struct slice *text);

/* ---- Components and features (session_items.c) ---- */

enum session_status {
    SESSION_PENDING,
    SESSION_IN_PROGRESS,
    SESSION_COMPLETED,
    SESSION_FAILED,
    SESSION_OTHER, /* a status that is none of ours */
    SESSION_STATUSES,
};

const char *session_status_name(enum session_status status);

struct session_items {
    struct map by_id;
    struct list by_arrival; /* the order in which they are shown */
    struct list by_update;  /* least recently updated first */
    unsigned counts[SESSION_STATUSES];
    int64_t progress_sum; /* millionths, so that adding and subtracting stays exact */
    size_t bytes;
    size_t metadata_bytes;
};

void session_items_init(struct session_items *items);
void session_items_fini(struct session_items *items);

/* id_name: component_id or feature_id. */
bool session_items_fold(struct session_items *items, const struct session_event *event,
                        struct slice id_name);

/* From the object that session_items_append wrote. */
bool session_items_load(struct session_items *items, struct json_value object);

void session_items_append(const struct session_items *items, const char *name, struct buf *out);
void session_items_append_stats(const struct session_items *items, const char *name,
                                struct buf *out);

/* Mean progress, 0 to 100, one decimal; 0 when there are none. */
double session_items_percentage(const struct session_items *items);
size_t session_items_bytes(const struct session_items *items);

/* ---- The end of the terminal's output (session_terminal.c) ---- */

struct session_terminal {
    char *data; /* valid UTF-8 */
    uint32_t len, cap;
};

void session_terminal_fini(struct session_terminal *terminal);
bool session_terminal_fold(struct session_terminal *terminal, const struct session_event *event);
bool session_terminal_load(struct session_terminal *terminal, struct json_value tail);
void session_terminal_append(const struct session_terminal *terminal, const char *name,
                             struct buf *out);

/* ---- The newest of something (session_ring.c) ---- */

struct session_ring {
    struct kept *items; /* JSON objects; NULL: none yet */
    unsigned size, count;
    unsigned next; /* where the next one goes */
    size_t bytes;
};

void session_ring_fini(struct session_ring *ring);

/* size: how many are kept; the same at every call. */
bool session_ring_add(struct session_ring *ring, unsigned size, struct slice json);
bool session_ring_load(struct session_ring *ring, unsigned size, struct json_value list);

/* The elements of the array that is open. */
void session_ring_append(const struct session_ring *ring, struct buf *out);

/* Puts a string of at most `longest` bytes; null for NULL and other kinds. */
bool session_put_bounded(struct buf *out, const char *name, const struct json_value *value,
                         size_t longest);

/* ---- Errors and updates (session_errors.c) ---- */

bool session_errors_fold(struct session_ring *errors, const struct session_event *event);
bool session_updates_fold(struct session_ring *updates, const struct session_event *event);

/* ---- Executions (session_executions.c) ---- */

struct session_execution;

struct session_executions {
    struct session_execution *items; /* in the order in which they began; NULL: none yet */
    unsigned count;
};

void session_executions_fini(struct session_executions *all);
bool session_executions_fold(struct session_executions *all, const struct session_event *event);
bool session_executions_load(struct session_executions *all, struct json_value object);
void session_executions_append(const struct session_executions *all, const char *name,
                               struct buf *out);
size_t session_executions_bytes(const struct session_executions *all);

/* ---- The conversation with a model (session_chat.c) ---- */

struct session_chat {
    struct session_ring messages;
    struct kept partial_id; /* a JSON string; nothing: no message is being written */
    struct session_terminal partial;
};

void session_chat_fini(struct session_chat *chat);
bool session_chat_fold(struct session_chat *chat, const struct session_event *event);
bool session_chat_fold_chunk(struct session_chat *chat, const struct session_event *event);
bool session_chat_load(struct session_chat *chat, struct json_value list);
void session_chat_append(const struct session_chat *chat, const char *name, struct buf *out);
size_t session_chat_bytes(const struct session_chat *chat);

/* ---- Saved files (session_files.c) ---- */

struct session_file;

struct session_files {
    struct session_file *items; /* least recently saved first; NULL: none yet */
    unsigned count;
    size_t content_bytes;
};

void session_files_fini(struct session_files *files);
bool session_files_fold(struct session_files *files, const struct session_event *event);
bool session_files_load(struct session_files *files, struct json_value object);
void session_files_append(const struct session_files *files, const char *name, struct buf *out);
size_t session_files_bytes(const struct session_files *files);

/* ---- The last checkpoint (session_checkpoint.c) ---- */

struct session_checkpoint {
    struct kept id;    /* as it is, not JSON */
    struct kept phase; /* a JSON string */
    struct kept json;  /* what is shown */
    bool phase_is_build;
    uint32_t tasks_completed, files_created;
};

void session_checkpoint_fini(struct session_checkpoint *checkpoint);
bool session_checkpoint_fold(struct session_checkpoint *checkpoint,
                             const struct session_event *event);
bool session_checkpoint_load(struct session_checkpoint *checkpoint, struct json_value json);
void session_checkpoint_append(const struct session_checkpoint *checkpoint, const char *name,
                               struct buf *out);
size_t session_checkpoint_bytes(const struct session_checkpoint *checkpoint);

#endif
