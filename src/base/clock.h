/* Time: wall clock for what people see, monotonic for everything else. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/slice.h"

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);

/* Milliseconds of a clock that never goes back. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

#define CLOCK_TEXT_SIZE 25

/* RFC 3339, UTC, milliseconds: 2026-01-31T12:00:00.123Z; always 24 characters and a NUL for the
 * years 0 to 9999 (others are clamped). */
void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_SIZE]);

/* Reads RFC 3339 (section 5.6), any offset and fraction. Returns 0 or FAN_E_PARSE. */
int clock_parse(struct slice text, int64_t *wall_ms);

#endif
