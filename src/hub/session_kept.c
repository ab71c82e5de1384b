/* Kept bytes and reading events for the session state; see session_sections.h. */
#include "base/memory.h"
#include "codec/utf8.h"
#include "hub/session_sections.h"

void kept_clear(struct kept *kept)
{
    memory_free(kept->ptr);
    *kept = (struct kept){0};
}

bool kept_set(struct kept *kept, struct slice text)
{
    if (!text.ptr) {
        kept_clear(kept);
        return true;
    }
    /* Most values keep their size from one event to the next ("{}"): no new memory then. */
    if (!kept->ptr || kept->len != text.len) {
        kept_clear(kept);
        kept->ptr = memory_try_alloc(text.len);
        if (!kept->ptr)
            return false;
        kept->len = (uint32_t)text.len;
    }
    memcpy(kept->ptr, text.ptr, text.len);
    return true;
}

static bool keep_buf(struct kept *kept, struct buf *json)
{
    bool done = !json->failed && kept_set(kept, buf_slice(json));
    if (!done)
        kept_clear(kept);
    buf_fini(json);
    return done;
}

bool kept_set_string(struct kept *kept, struct json_value string, size_t longest)
{
    if (string.text.len - 2 <= longest)
        return kept_set(kept, string.text);
    struct buf content = {0}, json = {0};
    json_string_append(&content, string);
    struct slice text = buf_slice(&content);
    if (text.len > longest) {
        text.len = longest;
        text.len -= utf8_incomplete_tail(text);
        content.len = text.len;
        BUF_LITERAL(&content, "…");
    }
    json_append_string(&json, buf_slice(&content));
    json.failed |= content.failed;
    buf_fini(&content);
    return keep_buf(kept, &json);
}

unsigned session_pick(struct slice object, const struct slice *names, unsigned count,
                      struct json_value *values)
{
    unsigned found = 0;
    struct json_iter it = json_members((struct json_value){JSON_OBJECT, object});
    struct json_member member;
    while (json_next_member(&it, &member)) {
        for (unsigned i = 0; i < count; i++) {
            if (member.name_escaped ? !json_name_is(&member, names[i])
                                    : !slice_equal(member.name, names[i]))
                continue;
            values[i] = member.value;
            found = member.value.kind == JSON_NULL ? found & ~(1u << i) : found | 1u << i;
        }
    }
    return found;
}

bool session_text(struct json_value string, struct buf *scratch, struct slice *text)
{
    if (json_string_plain(string, text))
        return true;
    buf_clear(scratch);
    json_string_append(scratch, string);
    *text = buf_slice(scratch);
    return !scratch->failed;
}
