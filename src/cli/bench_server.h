/* The server that a benchmark measures: one of its own in another process, or one that runs
 * already; and the machine under both. */
#ifndef CLI_BENCH_SERVER_H
#define CLI_BENCH_SERVER_H

#include <sys/types.h>

#include "cli/remote.h"
#include "cli/top_sample.h"

/* Which cores server and load run on; -1: not pinned. */
struct bench_cores {
    int server, load;
};

/* Chooses two of the cores that this process may use, when there are two, and pins this process. */
struct bench_cores bench_cores_take(void);

/* Raises the limit of open files to `files`. Returns what it is then. */
uint64_t bench_raise_files(uint64_t files);

struct bench_server {
    struct remote remote;
    pid_t pid; /* 0: not ours */
    char url[128];
};

/* Starts `fanfare serve` with the memory engine and one worker on a free port; what it complains of
 * goes to stderr. It does not outlive this process. FAN_E_…, `why`. */
int bench_server_start(struct bench_server *s, struct bench_cores cores, struct buf *why);
void bench_server_stop(struct bench_server *s);

/* What the server has used and holds. Fields are -1 where it does not tell. */
struct bench_usage {
    double cpu_seconds, resident_bytes;
};
struct bench_usage bench_server_usage(const struct bench_server *s);

/* Processor seconds that all programs of this machine have used, and those of this process and the
 * servers that it has stopped. */
struct bench_machine {
    double at, busy, own; /* seconds */
};
struct bench_machine bench_machine_now(void);

/* Which part of the machine others had between the two, 0 to 1. */
double bench_machine_others(struct bench_machine before, struct bench_machine after);

/* What a reader of the figures has to know: the server's version, engine, flush and workers, cores,
 * kernel, processor, congestion control; as JSON members, for both forms of the report. */
struct bench_setting {
    char version[32], engine[32], flush[32];
    uint64_t workers;
    char processor[96], kernel[96], congestion[32];
    long cores;
    struct bench_cores pinned;
};

int bench_setting_find(struct bench_setting *setting, const struct bench_server *s,
                       struct bench_cores cores, struct buf *why);

#endif
