/*
 * The files that a session saved: name and language of the last ones, and their text as far as it
 * came with the event and there is room. Those that were not saved for longest lose their text
 * first.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "hub/session_sections.h"

#define FILE_NAME_MAX 1024
#define LANGUAGE_MAX  64

struct session_file {
    struct kept id;             /* as it is, not JSON */
    struct kept name, language; /* JSON strings */
    struct kept content;        /* a JSON string; nothing: it was not said, or there was no room */
    bool truncated;
    int64_t updated;
};

static void clear(struct session_file *file)
{
    kept_clear(&file->id);
    kept_clear(&file->name);
    kept_clear(&file->language);
    kept_clear(&file->content);
}

void session_files_fini(struct session_files *files)
{
    for (unsigned i = 0; i < files->count; i++)
        clear(&files->items[i]);
    memory_free(files->items);
    *files = (struct session_files){0};
}

size_t session_files_bytes(const struct session_files *files)
{
    if (!files->items)
        return 0;
    size_t bytes = SESSION_FILES * sizeof *files->items;
    for (unsigned i = 0; i < files->count; i++)
        bytes += files->items[i].id.len + files->items[i].name.len + files->items[i].language.len;
    return bytes + files->content_bytes;
}

/* Takes the file out of the list, which is in the order of saving, least recent first. */
static struct session_file take(struct session_files *files, unsigned at)
{
    struct session_file file = files->items[at];
    files->count--;
    memmove(&files->items[at], &files->items[at + 1], (files->count - at) * sizeof *files->items);
    return file;
}

/* The file, new or known, at the list's end; NULL: no memory. */
static struct session_file *need(struct session_files *files, struct slice id)
{
    struct session_file file = {0};
    if (!files->items)
        files->items = memory_try_alloc(SESSION_FILES * sizeof *files->items);
    if (!files->items)
        return NULL;
    unsigned at = 0;
    while (at < files->count && !slice_equal(kept_slice(&files->items[at].id), id))
        at++;
    if (at < files->count) {
        file = take(files, at);
    } else if (!kept_set(&file.id, id)) {
        return NULL;
    } else if (files->count == SESSION_FILES) {
        struct session_file oldest = take(files, 0);
        files->content_bytes -= oldest.content.len;
        clear(&oldest);
    }
    files->items[files->count] = file;
    return &files->items[files->count++];
}

static bool keep_content(struct session_files *files, struct session_file *file,
                         struct json_value content)
{
    bool fits = content.text.len <= SESSION_FILE_MAX;
    files->content_bytes -= file->content.len;
    file->truncated = !fits;
    bool done = kept_set(&file->content, fits ? content.text : slice_of(NULL, 0));
    files->content_bytes += file->content.len;
    for (unsigned i = 0; files->content_bytes > SESSION_FILES_ALL && i < files->count; i++) {
        struct session_file *other = &files->items[i];
        files->content_bytes -= other->content.len;
        other->truncated |= other->content.ptr != NULL;
        kept_clear(&other->content);
    }
    return done;
}

enum { ID, FILE_NAME, LANGUAGE, CONTENT, FIELDS };
static const struct slice field_names[FIELDS] = {NAME("file_id"), NAME("file_name"),
                                                 NAME("language"), NAME("content")};

static bool set_fields(struct session_files *files, struct session_file *file, unsigned found,
                       const struct json_value *values)
{
    bool done = true;
    if (found & 1 << FILE_NAME && values[FILE_NAME].kind == JSON_STRING)
        done &= kept_set_string(&file->name, values[FILE_NAME], FILE_NAME_MAX);
    if (found & 1 << LANGUAGE && values[LANGUAGE].kind == JSON_STRING)
        done &= kept_set_string(&file->language, values[LANGUAGE], LANGUAGE_MAX);
    if (found & 1 << CONTENT && values[CONTENT].kind == JSON_STRING)
        done &= keep_content(files, file, values[CONTENT]);
    return done;
}

bool session_files_fold(struct session_files *files, const struct session_event *event)
{
    struct json_value values[FIELDS];
    unsigned found = session_pick(event->data, field_names, FIELDS, values);
    struct buf scratch = {0};
    struct slice id;
    if (!(found & 1) || values[ID].kind != JSON_STRING)
        return true;
    bool done = session_text(values[ID], &scratch, &id);
    if (done && id.len <= SESSION_ID_MAX) {
        struct session_file *file = need(files, id);
        done = file != NULL;
        if (file) {
            file->updated = event->time;
            done = set_fields(files, file, found, values);
        }
    }
    buf_fini(&scratch);
    return done;
}

void session_files_append(const struct session_files *files, const char *name, struct buf *out)
{
    json_begin(out, name, '{');
    for (unsigned i = 0; i < files->count; i++) {
        const struct session_file *file = &files->items[i];
        json_put_name_slice(out, kept_slice(&file->id));
        json_begin(out, NULL, '{');
        json_put_raw(out, "file_name", file->name.ptr ? kept_slice(&file->name) : SLICE("null"));
        json_put_raw(out, "language",
                     file->language.ptr ? kept_slice(&file->language) : SLICE("null"));
        if (file->content.ptr)
            json_put_raw(out, "content", kept_slice(&file->content));
        if (file->truncated)
            json_put_bool(out, "truncated", true);
        json_put_time(out, "updated", file->updated);
        json_end(out, '}');
    }
    json_end(out, '}');
}

static bool load_one(struct session_files *files, const struct json_member *member)
{
    struct json_value values[FIELDS], value;
    struct slice quoted = slice_of(member->name.ptr - 1, member->name.len + 2), id, time;
    struct buf scratch = {0};
    struct session_file *file = NULL;
    if (session_text((struct json_value){JSON_STRING, quoted}, &scratch, &id))
        file = need(files, id);
    buf_fini(&scratch);
    if (!file)
        return false;
    if (json_find(member->value, SLICE("updated"), &value) && json_string_plain(value, &time))
        clock_parse(time, &file->updated);
    unsigned found = session_pick(member->value.text, field_names, FIELDS, values);
    bool done = set_fields(files, file, found, values);
    file->truncated |= json_find(member->value, SLICE("truncated"), &value);
    return done;
}

bool session_files_load(struct session_files *files, struct json_value object)
{
    if (object.kind != JSON_OBJECT)
        return true;
    struct json_iter it = json_members(object);
    struct json_member member;
    bool done = true;
    while (json_next_member(&it, &member))
        if (member.value.kind == JSON_OBJECT)
            done = load_one(files, &member) && done;
    return done;
}
