/*
 * What can stand next on the command line, for the shells' completion scripts (completion.c), which
 * only hand over the words and show what comes back.
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "base/buf.h"

/* words: what stands behind the program's name, the last one as far as it is typed. Appends a line
 * for each candidate, "value TAB explanation", where the value replaces the last word; or a line
 * that asks the shell for names of its own: ":files", ":directories", ":commands". */
void complete_append(struct buf *out, char *const *words, int count);

/* Appends the topics of a server, one on each line, that begin with `prefix`; only what follows
 * `skip` ("session:" for session ids), behind `before`. url and token may be NULL. When the server
 * does not answer at once there are none, without a word. */
void complete_topics(struct buf *out, const char *url, const char *token, struct slice before,
                     struct slice prefix, const char *skip);

#endif
