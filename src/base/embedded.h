/* Files that are compiled into the program; cmake/Embed.cmake makes the tables. Any thread. */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include "base/slice.h"

struct embedded_file {
    const char *path;  /* "/docs/docs.css" */
    const char *media; /* "text/css; charset=utf-8" */
    const char *etag;  /* with its quotes */
    struct slice content;
    struct slice gzip; /* the same compressed; empty where that is not worth while */
};

/* NULL: no such file in the table, which ends with a path of NULL. */
static inline const struct embedded_file *embedded_find(const struct embedded_file *files,
                                                        struct slice path)
{
    for (; files->path; files++)
        if (slice_is(path, files->path))
            return files;
    return NULL;
}

#endif
