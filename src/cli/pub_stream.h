/* `fanfare pub -`: events from stdin, one to a line, over the publishing client. */
#ifndef CLI_PUB_STREAM_H
#define CLI_PUB_STREAM_H

#include "cli/arguments.h"

/* Publishes until stdin ends and all is acknowledged. Gives up when the server acknowledges
 * nothing for timeout_ms while something waits (0: never). Returns the exit code. */
int pub_stream(const struct arguments *a, int timeout_ms);

#endif
