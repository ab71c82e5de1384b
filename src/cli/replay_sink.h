/* Where the events of a replay go: to the reader of stdout, or to another topic. One thread. */
#ifndef CLI_REPLAY_SINK_H
#define CLI_REPLAY_SINK_H

#include <stdatomic.h>

#include "cli/remote.h"
#include "codec/json.h"
#include "fanfare/client.h"

/* Prints events as `fanfare sub` does. On a terminal the output of terminals is written as it is,
 * as if one sat there. */
struct replay_printer {
    bool json, raw, colours;
    bool played;      /* there was raw output */
    bool inside_line; /* it ended without a newline */
};

void replay_printer_init(struct replay_printer *p, bool json);

/* DONE, or FAILED when the reader is gone. */
int replay_print(struct replay_printer *p, struct json_value event);

/* Leaves the terminal's colours as they were. */
void replay_printer_fini(struct replay_printer *p);

/* Publishes events anew: under another topic, with ids and times of their own. */
struct replay_publisher {
    const struct remote *remote;
    const char *topic;
    struct fan_client *client;
    struct buf event;
    atomic_bool denied; /* the server refuses the connection */
    atomic_bool told;   /* that events are refused */
};

/* DONE, or FAILED after a message. */
int replay_publisher_init(struct replay_publisher *p, const struct remote *remote,
                          const char *topic);

/* Waits while the server is slower than the replay. DONE, FAILED after a message, or
 * REPLAY_INTERRUPTED. */
int replay_publish(struct replay_publisher *p, struct json_value event);

/* Waits for the acknowledgements, and says how many events were published. DONE, or FAILED when
 * some were not. */
int replay_publisher_end(struct replay_publisher *p, bool json);
void replay_publisher_fini(struct replay_publisher *p);

#endif
