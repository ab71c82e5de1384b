/*
 * Server-Sent Events (WHATWG HTML, 9.2) and the cursor text. No I/O, any thread.
 */
#ifndef CODEC_SSE_H
#define CODEC_SSE_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends one event: "id: …\n" when id is not empty, "event: …\n" when name is not empty, a
 * "data: " line for each line of data (split at \n, \r and \r\n), and the empty line. id and
 * name must not contain line breaks. */
void sse_append_event(struct buf *out, struct slice id, struct slice name, struct slice data);

/* Appends ": text\n\n". */
void sse_append_comment(struct buf *out, struct slice text);

/* Appends "retry: ms\n\n". */
void sse_append_retry(struct buf *out, unsigned ms);

#endif
