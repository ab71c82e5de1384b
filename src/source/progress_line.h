/*
 * What one line of a build tool's output says about its progress. No state, no I/O, any thread.
 */
#ifndef SOURCE_PROGRESS_LINE_H
#define SOURCE_PROGRESS_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum progress_kind {
    PROGRESS_NOTHING,
    /* Percentages that only their course can show to be progress. */
    PROGRESS_PERCENT,
    /* Formats of build tools. */
    PROGRESS_STEPS,  /* "[12/345] …": ninja, Bazel, yarn and others */
    PROGRESS_MAKE,   /* "[ 12%] …": Makefiles made by CMake */
    PROGRESS_CTEST,  /* "12/65 Test #12: …" */
    PROGRESS_MESON,  /* "12/65 suite / name   OK   0.02s" */
    PROGRESS_CARGO,  /* "Building [==>   ] 12/345: …" */
    PROGRESS_PYTEST, /* "… [ 12%]", "… [ 12/345]" */
    PROGRESS_MAVEN,  /* "[INFO] Building … [3/7]" */
    PROGRESS_JEST,   /* "Test Suites: 3 of 10 total" */
    PROGRESS_DOCKER, /* "Step 3/7 : …" */
    PROGRESS_RUST_TESTS,
    /* Notes that give other lines their meaning; `total` is the number in it. */
    PROGRESS_CARGO_FINISHED,   /* "Finished …" */
    PROGRESS_PYTEST_COLLECTED, /* "collected 24 items" */
    PROGRESS_RUST_TESTS_RUN,   /* "running 24 tests" */
    PROGRESS_RUST_TEST_ENDED,  /* "test name ... ok" */
};

struct progress_reading {
    enum progress_kind kind;
    uint32_t total, completed; /* 100 and the percentage where there is nothing to count */
    double percent;            /* of a PROGRESS_PERCENT, PROGRESS_MAKE and PROGRESS_PYTEST */
    /* A PROGRESS_PERCENT only: which text stands in front of it, and whether the words say that it
     * is progress. */
    uint64_t shape;
    bool plausible;
};

/* Reads a line without escape sequences and line end. redrawn: it overwrites another one, as
 * progress bars do. False when it says nothing. */
bool progress_read_line(struct slice line, bool redrawn, struct progress_reading *reading);

#endif
