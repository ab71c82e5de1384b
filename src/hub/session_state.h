/*
 * Session state: the current picture of a session, folded from its events, so that someone who
 * joins late gets one snapshot and then the live tail.
 *
 * What each section keeps stands in a file of its own (session_items.c, session_terminal.c…);
 * session_state.c has the table of sections. All of it is bounded, whatever is published: 10,000
 * components and as many features, 16 KiB of metadata each and 4 MiB together, 64 KiB of
 * terminal output, 20 errors. When memory runs out an event may be missing from the picture; it
 * is marked incomplete then.
 *
 * No I/O. Not thread-safe: the caller locks.
 */
#ifndef HUB_SESSION_STATE_H
#define HUB_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "hub/catalogue.h"

/* Longest text of one file that is kept, as JSON; a longer one counts as truncated. */
#define SESSION_FILE_MAX (256 * 1024)

struct session_state;

/* NULL: no memory. About half a kilobyte. */
struct session_state *session_state_try_new(void);

/* NULL is allowed. */
void session_state_free(struct session_state *state);

/* Takes in one event, in the topic's order: type (NULL for a custom type), data as event_validate
 * left it, and its time in milliseconds since 1970. Constant time but for the size of data.
 * Members that are not of the catalogue's kinds are passed over. */
void session_state_fold(struct session_state *state, const struct event_type *type,
                        struct slice data, int64_t time_ms);

/* Whether something is missing because memory ran out. */
bool session_state_incomplete(const struct session_state *state);

/*
 * Appends the state as a JSON object: `{session_id, phase, status, components, features,
 * build_progress, component_stats, feature_stats, overall_progress, last_checkpoint,
 * terminal_tail, errors, unresolved_error, run, executions, chat, files, updates,
 * connections, started, updated}`, and `"incomplete":true` when it is. unresolved_error and run are
 * what the status rests on beside the rest, so that a client that has the state can fold the events
 * after it by itself. state NULL: the state of a session without events.
 */
void session_state_append_json(const struct session_state *state, struct slice session_id,
                               unsigned connections, struct buf *out);

/* Appends a short form of it, for lists: phase, status, build_progress, component_stats,
 * feature_stats, overall_progress, run, started and updated, as members of an object that the
 * caller began. Enough to tell what has failed from what goes on all the same. state may be
 * NULL. */
void session_state_append_summary(const struct session_state *state, struct buf *out);

/* Appends what session_state_try_load needs to continue from here: the object above with a member
 * `fold` more. For storage; not meant for clients. */
void session_state_append_snapshot(const struct session_state *state, struct buf *out);

/* A state from a snapshot. NULL: no memory, or no snapshot (not a JSON object). */
struct session_state *session_state_try_load(struct slice snapshot);

/* Whether the last checkpoint of the session is the one of this id. */
bool session_state_has_checkpoint(const struct session_state *state, struct slice id);

/* Memory held, in bytes, not counting the allocator's own. */
size_t session_state_bytes(const struct session_state *state);

#endif
