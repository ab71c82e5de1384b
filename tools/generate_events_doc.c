/* Writes docs/events.md: generate_events_doc FILE. */
#include <stdio.h>

#include "api/openapi.h"

int main(int argc, char **argv)
{
    struct buf text = {0};
    events_doc_append(&text);
    FILE *file = argc == 2 && !text.failed ? fopen(argv[1], "wb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: generate_events_doc FILE (which must be writable)\n");
        return 2;
    }
    size_t written = fwrite(text.data, 1, text.len, file);
    int failed = fclose(file) != 0 || written != text.len;
    buf_fini(&text);
    return failed;
}
