/* Topic names: what is accepted reads back as itself, and any user gets a topic that is one. */
#include <assert.h>
#include <stdint.h>

#include "hub/topic_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct topic_name name;
    struct buf out = {0};
    const char *why = NULL;
    if (topic_name_parse(text, &name, &why) == 0) {
        assert(text.len <= TOPIC_NAME_MAX);
        topic_name_append(&out, name);
        assert(slice_equal(buf_slice(&out), text));
    } else {
        assert(why);
    }
    buf_clear(&out);
    if (topic_user_append(&out, text) == 0)
        assert(topic_name_parse(buf_slice(&out), &name, NULL) == 0 && name.kind == TOPIC_USER);
    buf_fini(&out);
    return 0;
}
