/*
 * One of the caller's output streams, as the place where a command's output is passed on to: as it
 * is, and without ever blocking where that can be had.
 */
#ifndef CLI_RUN_OUTLET_H
#define CLI_RUN_OUTLET_H

#include <stdbool.h>
#include <stddef.h>

#define RUN_OUTLET_SIZE ((size_t)64 * 1024)

struct run_outlet {
    int fd;
    bool is_socket;
    bool is_opened; /* anew, by us: closed at the end */
    bool may_block; /* only written to, a page at a time, when poll says that it takes something */
    int problem;    /* errno of the write that failed: nothing is written any more; 0: none */
    bool mid_line;  /* the last byte was no newline */
    size_t from, to;
    char data[RUN_OUTLET_SIZE];
};

/* fd is the caller's STDOUT_FILENO or STDERR_FILENO. */
void run_outlet_init(struct run_outlet *o, int fd);
void run_outlet_fini(struct run_outlet *o);

/* Whether there is something to write. */
static inline bool run_outlet_waits(const struct run_outlet *o)
{
    return o->from < o->to;
}

/* Writes what it can; `ready`: poll has said that it takes something. What cannot be written at all
 * is thrown away, and `problem` says so. */
void run_outlet_write(struct run_outlet *o, bool ready);

#endif
