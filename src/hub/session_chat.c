/* A session's conversation with a model: the last messages, and the one that is being written. */
#include "hub/session_sections.h"

#define CONTENT_MAX (32 * 1024)
#define TEXT_MAX    256

void session_chat_fini(struct session_chat *chat)
{
    session_ring_fini(&chat->messages);
    kept_clear(&chat->partial_id);
    session_terminal_fini(&chat->partial);
}

size_t session_chat_bytes(const struct session_chat *chat)
{
    return chat->messages.bytes + chat->partial_id.len + chat->partial.cap;
}

enum { ID, CONTENT, SENDER, TIMESTAMP, FIELDS };
static const struct slice field_names[FIELDS] = {NAME("id"), NAME("content"), NAME("sender"),
                                                 NAME("timestamp")};

static bool add_message(struct session_chat *chat, struct json_value message, int64_t time)
{
    struct json_value values[FIELDS];
    unsigned found = session_pick(message.text, field_names, FIELDS, values);
    struct buf json = {0};
    json_begin(&json, NULL, '{');
    bool done = session_put_bounded(&json, "id", found & 1 ? &values[ID] : NULL, TEXT_MAX);
    done &= session_put_bounded(&json, "content", found & 2 ? &values[CONTENT] : NULL, CONTENT_MAX);
    done &= session_put_bounded(&json, "sender", found & 4 ? &values[SENDER] : NULL, TEXT_MAX);
    if (found & 1 << TIMESTAMP)
        done &= session_put_bounded(&json, "timestamp", &values[TIMESTAMP], TEXT_MAX);
    else
        json_put_time(&json, "timestamp", time);
    json_end(&json, '}');
    done = !json.failed && session_ring_add(&chat->messages, SESSION_MESSAGES, buf_slice(&json)) &&
           done;
    buf_fini(&json);
    if (found & 1 && slice_equal(values[ID].text, kept_slice(&chat->partial_id))) {
        kept_clear(&chat->partial_id);
        session_terminal_fini(&chat->partial);
    }
    return done;
}

bool session_chat_fold(struct session_chat *chat, const struct session_event *event)
{
    static const struct slice name = NAME("message");
    struct json_value message;
    if (!session_pick(event->data, &name, 1, &message) || message.kind != JSON_OBJECT)
        return true;
    return add_message(chat, message, event->time);
}

bool session_chat_fold_chunk(struct session_chat *chat, const struct session_event *event)
{
    static const struct slice names[] = {NAME("id"), NAME("chunk")};
    struct json_value values[2];
    if (session_pick(event->data, names, 2, values) != 3 || values[0].kind != JSON_STRING ||
        values[0].text.len > SESSION_ID_MAX)
        return true;
    if (!slice_equal(values[0].text, kept_slice(&chat->partial_id))) {
        session_terminal_fini(&chat->partial);
        if (!kept_set(&chat->partial_id, values[0].text))
            return false;
    }
    return session_terminal_load(&chat->partial, values[1]);
}

void session_chat_append(const struct session_chat *chat, const char *name, struct buf *out)
{
    json_begin(out, name, '[');
    session_ring_append(&chat->messages, out);
    if (chat->partial_id.ptr) {
        json_begin(out, NULL, '{');
        json_put_raw(out, "id", kept_slice(&chat->partial_id));
        session_terminal_append(&chat->partial, "content", out);
        json_put_text(out, "sender", "ghost");
        json_put_bool(out, "finished", false);
        json_end(out, '}');
    }
    json_end(out, ']');
}

bool session_chat_load(struct session_chat *chat, struct json_value list)
{
    if (list.kind != JSON_ARRAY)
        return true;
    struct json_iter it = json_elements(list);
    struct json_value element, finished, value;
    bool done = true;
    while (json_next_element(&it, &element)) {
        if (element.kind != JSON_OBJECT)
            continue;
        if (!json_find(element, SLICE("finished"), &finished)) {
            done = add_message(chat, element, 0) && done;
        } else if (json_find(element, SLICE("id"), &value) && value.kind == JSON_STRING) {
            done = kept_set(&chat->partial_id, value.text) && done;
            if (json_find(element, SLICE("content"), &value))
                done = session_terminal_load(&chat->partial, value) && done;
        }
    }
    return done;
}
