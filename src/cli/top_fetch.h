/* Asking a server for a sample. */
#ifndef CLI_TOP_FETCH_H
#define CLI_TOP_FETCH_H

#include "cli/remote.h"
#include "cli/top_sample.h"

/* Fills an empty sample, with three requests; /metrics may be refused. 0, or an error as remote_get
 * gives it with the reason in `why`; the sample is to be freed in any case. Any thread. */
int top_fetch(const struct remote *remote, struct top_sample *sample, struct buf *why);

#endif
