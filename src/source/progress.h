/*
 * How far a build is, read from what the build tool prints: ninja, make and cmake, ctest, meson,
 * cargo, pytest, docker, and percentages of whatever kind.
 *
 * Output goes in as it comes, in pieces of any size, with its escape sequences and carriage
 * returns. Two things are kept apart: what one line says (progress_line.h), and whether to believe
 * it (here). Programs print numbers that are no progress: the use of a processor, the coverage of
 * a file, a "[1/2]" inside a sentence, the position in a pager. So
 *
 * - the formats of build tools are believed at first sight, where they stand as the tool puts them;
 * - any other percentage must have risen twice in the same place of the same text (once where a
 *   word such as "downloading" says what it is), and is never believed again once it has fallen;
 * - what is believed only rises. Another count takes over when the first is complete or has been
 *   silent for ten seconds, or has been printed three times in a row; when the first one then goes
 *   on, the other was a part of it (a build within a build), and parts are ignored from then on;
 * - nothing counts while a full-screen program shows its alternate screen.
 *
 * No I/O; one thread at a time.
 */
#ifndef SOURCE_PROGRESS_H
#define SOURCE_PROGRESS_H

#include "source/progress_line.h"

#define PROGRESS_STREAMS   2
#define PROGRESS_LINE_SIZE 1024 /* of a longer line the rest is not looked at */

struct progress {
    uint32_t total, completed;
    double percent; /* 0 to 100, one decimal */
};

/* The rest of this header is the parser's inside. */

enum progress_escape {
    PROGRESS_TEXT,
    PROGRESS_ESCAPE,
    PROGRESS_CONTROL_SEQUENCE,
    PROGRESS_STRING,     /* an operating system command or the like */
    PROGRESS_STRING_END, /* … in which an ESC was seen */
};

struct progress_stream {
    enum progress_escape escape;
    char parameters[16]; /* of a control sequence; longer ones are none that matter */
    size_t parameters_len;
    bool after_return; /* the last byte was a carriage return */
    bool redrawn;      /* the line was begun by a carriage return or a movement of the cursor */
    size_t len;
    char line[PROGRESS_LINE_SIZE];
};

/* A percentage that may be progress: how it went so far in one place of one text. */
struct progress_shape {
    uint64_t hash; /* 0: free */
    double percent;
    uint32_t rises;
    bool fell;
    uint64_t used; /* number of the sighting, to replace the oldest */
};

struct progress_counter {
    struct progress_reading reading; /* kind PROGRESS_NOTHING: none */
    uint64_t seen_ms;
    uint32_t sightings;
};

#define PROGRESS_SHAPES 8

struct progress_parser {
    struct progress_stream streams[PROGRESS_STREAMS];
    bool alternate_screen;
    struct progress_shape shapes[PROGRESS_SHAPES];
    uint64_t sightings;
    struct progress_counter current, suspended, candidate;
    bool has_parts;
    uint32_t tests_found;              /* pytest's, 0: not told */
    uint32_t tests_total, tests_ended; /* of Rust's test program that runs */
};

/* {0} is a parser at the start, too. */
void progress_parser_init(struct progress_parser *p);

/* Takes the next bytes that were written to a stream (0 or 1; lines of different streams are not
 * mixed). now_ms: a monotonic clock. Returns whether what progress_parser_get tells has changed. */
bool progress_parser_feed(struct progress_parser *p, unsigned stream, struct slice bytes,
                          uint64_t now_ms);

/* The last progress that is believed; false when there is none yet. */
bool progress_parser_get(const struct progress_parser *p, struct progress *progress);

#endif
