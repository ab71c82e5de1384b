/*
 * The agent platform's records, and the one thread that reads and changes them. Requests hand it
 * jobs, in a bounded queue, so that no worker ever waits for a disk. What a job changes it also
 * publishes, in one transaction and in the order of the jobs: who hears of a change and asks finds
 * it.
 *
 * Thread and file are made when the first job comes: a server that nobody asks for records has
 * neither.
 */
#ifndef API_PLATFORM_H
#define API_PLATFORM_H

#include "api/platform_db.h"

#define PLATFORM_QUEUE_MAX 1024

struct platform;

struct platform_job {
    struct platform_job *next;
    /* On the platform's thread, once. db NULL: the database cannot be opened, and problem says
     * why. Whoever is waiting is told from here; the job may be freed by then. */
    void (*run)(struct platform_job *job, struct platform_db *db, const char *problem);
};

/* path: the database's file, NULL: in memory. Never NULL. */
struct platform *platform_new(const char *path);

/* Hands a job over. 0; FAN_E_LIMIT when too many wait, FAN_E_CLOSED after platform_stop,
 * FAN_E_NO_MEMORY when there can be no thread; it is still the caller's then. Any thread. */
int platform_submit(struct platform *p, struct platform_job *job);

/* Runs what was handed over, and ends the thread. From no worker's thread. */
void platform_stop(struct platform *p);

/* NULL is allowed. Stopped before. */
void platform_free(struct platform *p);

#endif
