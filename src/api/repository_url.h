/*
 * A repository's address in one form for all its spellings, so that a project is found by whichever
 * of them a webhook sends:
 *
 *   https://github.com/Ada/Engine.git   git@github.com:ada/engine ssh://git@github.com/ada/engine/
 *
 * all become github.com/ada/engine. Scheme, user, password, standard port, `www.`, a slash or
 * `.git` at the end, query and fragment are left out, and case does not count. No I/O, any thread.
 */
#ifndef API_REPOSITORY_URL_H
#define API_REPOSITORY_URL_H

#include "base/buf.h"

/* Appends that form. FAN_E_INVALID, and nothing appended: the text has no host and path. */
int repository_url_append(struct buf *out, struct slice url);

#endif
