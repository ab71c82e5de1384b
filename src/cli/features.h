/* What this build and this machine can do. */
#ifndef CLI_FEATURES_H
#define CLI_FEATURES_H

#include <stdbool.h>

#include "base/buf.h"

struct feature {
    const char *name;
    bool here;
    char detail[128]; /* a version, a path, what it is for */
    const char *hint; /* what to install or change when it is not here; "" when nothing helps */
};

#define FEATURE_COUNT 9

/* Looks at the build and at the machine (PATH, kernel). */
void features_find(struct feature features[FEATURE_COUNT]);

#endif
