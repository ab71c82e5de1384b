/* `fanfare top` on a terminal. */
#ifndef CLI_TOP_LIVE_H
#define CLI_TOP_LIVE_H

#include "cli/remote.h"
#include "cli/top_view.h"

/* Shows the server until q is pressed. The server has been reached once, `first` is what it said
 * (taken). Returns the exit code. */
int top_live(struct remote *remote, struct top_view *view, struct top_sample *first,
             int interval_ms);

#endif
