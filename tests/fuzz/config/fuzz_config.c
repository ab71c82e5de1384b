/* The YAML reader of the configuration: any bytes give values or problems, never both wrong. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "config/loading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct problems problems = {.out = &out};
    struct config *c = config_defaults();
    yaml_read(c, "fuzz.yaml", slice_of((const char *)data, size), &problems);
    assert((problems.count == 0) == (out.len == 0));
    assert(out.len == 0 || out.data[out.len - 1] == '\n');
    for (size_t i = 0; i < option_count; i++)
        assert(options[i].type != OPTION_STRING || *(char **)((char *)c + options[i].at));
    config_free(c);
    buf_fini(&out);
    return 0;
}
