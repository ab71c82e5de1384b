/* Writes what is generated from the event catalogue: generate_events doc FILE, for docs/events.md;
 * generate_events types FILE, for the client library's web/client/src/events.ts. */
#include <stdio.h>
#include <string.h>

#include "api/openapi.h"

static int usage(void)
{
    fprintf(stderr, "usage: generate_events doc|types FILE (which must be writable)\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct buf text = {0};
    if (argc != 3)
        return usage();
    if (strcmp(argv[1], "doc") == 0)
        events_doc_append(&text);
    else if (strcmp(argv[1], "types") == 0)
        events_types_append(&text);
    FILE *file = text.len && !text.failed ? fopen(argv[2], "wb") : NULL;
    if (!file) {
        buf_fini(&text);
        return usage();
    }
    size_t written = fwrite(text.data, 1, text.len, file);
    int failed = fclose(file) != 0 || written != text.len;
    buf_fini(&text);
    return failed;
}
