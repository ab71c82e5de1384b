/* Parts of envelopes that dialects share. No I/O. */
#ifndef DIALECT_ENVELOPE_H
#define DIALECT_ENVELOPE_H

#include "base/buf.h"
#include "codec/cursor.h"
#include "hub/event.h"

/* The id part of the event's topic: "abc" of "session:abc". */
struct slice envelope_topic_id(const struct event *e, unsigned place);

/* Appends the text with quotes; for text that needs no escaping: identifiers, types, times. */
void envelope_quoted(struct buf *out, struct slice text);

/* Appends the time with quotes. */
void envelope_time(struct buf *out, int64_t time_ms);

/* "epoch":"…","offset":N,"cursor":"…" as members of the object that is open. */
void envelope_position(struct buf *out, uint64_t epoch, uint64_t offset, uint64_t node_epoch,
                       uint64_t seq);

/* The event itself as JSON (event_append_json), with the cursor behind it as its last member. An
 * ephemeral event has no cursor. */
void envelope_event(struct buf *out, struct cursor position, const struct event *e, unsigned place);

/* The members of a JSON object without its braces, with a comma before them if there are any. */
void envelope_spliced(struct buf *out, struct slice object);

/* The last of them alone. */
void envelope_cursor(struct buf *out, uint64_t node_epoch, uint64_t seq);

#endif
