/* When each event of a recording is due. No I/O, not thread-safe. */
#ifndef CLI_REPLAY_PACE_H
#define CLI_REPLAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct replay_pace {
    double speed;        /* 2: twice as fast; 0: without any pause */
    int64_t max_idle_ms; /* longest pause, in the recording's time; -1: no limit */

    /* Private: the last event's time, and when it was due. */
    bool begun;
    int64_t last_ms;
    double due_ms;
};

/* Reads "2", "0.5", "2x" or "max". False for anything else. */
bool replay_speed_parse(const char *text, double *speed);

/* Milliseconds from the beginning of the replay to this event, which happened at time_ms. Never
 * less than before: who publishes may set times, so they may go back. */
double replay_pace_next(struct replay_pace *p, int64_t time_ms);

#endif
