/* Counting durations so that percentiles can be told: 64 steps in each power of two, so that a
 * value is known to 1.6 %. Not thread-safe. */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS   64
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 42) /* up to 2^47 ns, more than a day */

/* All zero: empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, max;
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value that this share (0 to 1) of all values does not exceed; 0 when there are none. */
uint64_t histogram_at(const struct histogram *h, double share);

#endif
