/* The figures of a benchmark, for people and for programs. No I/O. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "cli/bench_scenario.h"

/* Under which circumstances; a few lines. */
void bench_append_setting(struct buf *out, const struct bench_setting *setting);

/* The table, and what its columns mean. */
void bench_append_table(struct buf *out, const struct bench_result *results, unsigned count,
                        bool colours);

/* A warning, when other programs had a good part of the machine. share: 0 to 1, below 0 when it is
 * not known. */
void bench_append_others(struct buf *out, double share);

/* All of it as one JSON object. */
void bench_append_json(struct buf *out, const struct bench_setting *setting,
                       const struct bench_options *options, double others,
                       const struct bench_result *results, unsigned count);

#endif
