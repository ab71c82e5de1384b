/*
 * The checkpoint parser.
 *
 * The whole text is checked as JSON first (codec/json.h), then its members are walked in place.
 * The scanner is used rather than a JSON tree because every value it yields is a slice of the
 * source: a member of a wrong type can be reported with its line and column, and metadata passes
 * through untouched.
 *
 * Strings are copied into one arena as large as the source. That is always enough: a decoded
 * string with its NUL is never longer than its source with two quotes, and an object is followed
 * by at least one byte that is copied nowhere else.
 */
#include "source/checkpoint.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/map.h"
#include "base/memory.h"

#define PATH_SIZE 192

struct reader {
    struct fan_checkpoint *checkpoint;
    struct slice text;
    const char *name;
    struct fan_checkpoint_error *error;
    size_t arena_used, arena_size;
    struct buf scratch;
    char path[PATH_SIZE]; /* the member that is being read, for messages */
};

/* Members of an object that mean something here; the others are skipped. */
struct member_rule {
    const char *name;
    int (*read)(struct reader *r, struct json_value value, void *into);
};

static int fail_at(struct reader *r, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail_at(struct reader *r, const char *at, const char *format, ...)
{
    unsigned line, column;
    char what[PATH_SIZE + 160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    json_locate(r->text, (size_t)(at - r->text.ptr), &line, &column);
    checkpoint_fail(r->error, r->name, line, column, "%s", what);
    return FAN_E_INVALID;
}

static int fail_kind(struct reader *r, struct json_value value, const char *expected)
{
    return fail_at(r, value.text.ptr, "%s: expected %s, found %s", r->path, expected,
                   json_kind_name(value.kind));
}

static int fail_memory(struct reader *r)
{
    checkpoint_fail(r->error, r->name, 1, 1, "out of memory");
    return FAN_E_NO_MEMORY;
}

static void *arena_take(struct reader *r, size_t size)
{
    assert(size <= r->arena_size - r->arena_used);
    char *at = r->checkpoint->arena + r->arena_used;
    r->arena_used += size;
    return at;
}

static const char *arena_copy(struct reader *r, struct slice text)
{
    char *copy = arena_take(r, text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static int read_string(struct reader *r, struct json_value value, void *into)
{
    const char **out = into;
    struct slice content;
    if (value.kind != JSON_STRING)
        return fail_kind(r, value, "a string");
    if (!json_string_plain(value, &content)) {
        buf_clear(&r->scratch);
        json_string_append(&r->scratch, value);
        if (r->scratch.failed)
            return fail_memory(r);
        content = buf_slice(&r->scratch);
    }
    if (content.len && memchr(content.ptr, '\0', content.len))
        return fail_at(r, value.text.ptr, "%s: a string may not contain \\u0000", r->path);
    *out = arena_copy(r, content);
    return 0;
}

static int read_name(struct reader *r, struct json_value value, void *into)
{
    int error = read_string(r, value, into);
    if (!error && **(const char **)into == '\0')
        return fail_at(r, value.text.ptr, "%s: expected a string that is not empty", r->path);
    return error;
}

static int read_object_text(struct reader *r, struct json_value value, void *into)
{
    if (value.kind != JSON_OBJECT)
        return fail_kind(r, value, "an object");
    buf_clear(&r->scratch);
    json_append_compact(&r->scratch, value);
    if (r->scratch.failed)
        return fail_memory(r);
    *(const char **)into = arena_copy(r, buf_slice(&r->scratch));
    return 0;
}

static int read_number(struct reader *r, struct json_value value, double low, double high,
                       const char *expected, double *out)
{
    if (value.kind != JSON_NUMBER)
        return fail_kind(r, value, expected);
    *out = json_number(value);
    if (!(*out >= low && *out <= high))
        return fail_at(r, value.text.ptr, "%s: expected %s, found %.*s", r->path, expected,
                       value.text.len > 40 ? 40 : (int)value.text.len, value.text.ptr);
    return 0;
}

/* A tool that computes its progress gets 100.00000000000001 at times; that is 100. */
static int read_progress(struct reader *r, struct json_value value, void *into)
{
    double *progress = into;
    int error = read_number(r, value, -1e-6, 100 + 1e-6, "a number from 0 to 100", progress);
    if (!error)
        *progress = *progress < 0 ? 0 : *progress > 100 ? 100 : *progress;
    return error;
}

static int read_weight(struct reader *r, struct json_value value, void *into)
{
    return read_number(r, value, 0, 1e9, "a number from 0 to 1000000000", into);
}

static size_t count_elements(struct json_value array)
{
    size_t count = 0;
    struct json_value element;
    for (struct json_iter it = json_elements(array); json_next_element(&it, &element);)
        count++;
    return count;
}

static size_t count_members(struct json_value object)
{
    size_t count = 0;
    struct json_member member;
    for (struct json_iter it = json_members(object); json_next_member(&it, &member);)
        count++;
    return count;
}

static int read_strings(struct reader *r, struct json_value value, void *into)
{
    struct checkpoint_strings *out = into;
    if (value.kind != JSON_ARRAY)
        return fail_kind(r, value, "a list of strings");
    size_t count = count_elements(value), stem = strlen(r->path);
    out->items = memory_try_alloc(count * sizeof *out->items);
    if (!out->items)
        return fail_memory(r);
    struct json_value element;
    for (struct json_iter it = json_elements(value); json_next_element(&it, &element);) {
        snprintf(r->path + stem, PATH_SIZE - stem, "[%zu]", out->count);
        int error = read_string(r, element, &out->items[out->count]);
        if (error)
            return error;
        out->count++;
    }
    return 0;
}

/* Walks an object by its rules. r->path names the object ("" for the document). null counts as
 * left out; a known member that stands twice has no meaning and is refused. into[i]: where the
 * member of rules[i] goes. */
static int read_members(struct reader *r, struct json_value object, const struct member_rule *rules,
                        size_t count, void *const *into)
{
    size_t stem = strlen(r->path);
    bool seen[16] = {false};
    struct json_member member;
    assert(count <= sizeof seen / sizeof *seen);
    for (struct json_iter it = json_members(object); json_next_member(&it, &member);) {
        size_t i = 0;
        while (i < count && !json_name_is(&member, slice_from(rules[i].name)))
            i++;
        if (i == count)
            continue;
        snprintf(r->path + stem, PATH_SIZE - stem, "%s%s", stem ? "." : "", rules[i].name);
        if (seen[i])
            return fail_at(r, member.name.ptr - 1, "%s: this member stands here twice", r->path);
        seen[i] = true;
        if (member.value.kind != JSON_NULL) {
            int error = rules[i].read(r, member.value, into[i]);
            if (error)
                return error;
        }
        r->path[stem] = '\0';
    }
    return 0;
}

/* While the parts of one list are read. */
struct part_reader {
    const char *kind;    /* "component" */
    const char *id_name; /* "component_id" */
    struct checkpoint_parts *out;
    struct map ids;
};

static struct slice part_key(const void *part)
{
    return slice_from(((const struct fan_checkpoint_part *)part)->id);
}

/* key: the id of a part that stands in an object keyed by id; NULL in a list. */
static int read_part(struct reader *r, struct part_reader *parts, const char *key,
                     struct json_value value)
{
    const char *id = NULL, *own_id = NULL, *name = NULL;
    struct fan_checkpoint_part *part = &parts->out->items[parts->out->count];
    *part = (struct fan_checkpoint_part){
        .status = "pending", .progress = -1, .weight = 1, .metadata = "{}"};
    if (value.kind != JSON_OBJECT)
        return fail_kind(r, value, "an object");
    const struct member_rule rules[] = {
        {"id", read_name},
        {parts->id_name, read_name},
        {"name", read_name},
        {"status", read_string},
        {"progress", read_progress},
        {"weight", read_weight},
        {"metadata", read_object_text},
    };
    void *const into[] = {&id,           &own_id,        &name, &part->status, &part->progress,
                          &part->weight, &part->metadata};
    int error = read_members(r, value, rules, sizeof rules / sizeof *rules, into);
    if (error)
        return error;
    part->id = key ? key : id ? id : own_id ? own_id : name;
    if (!part->id)
        return fail_at(r, value.text.ptr, "%s: expected a member id, %s or name", r->path,
                       parts->id_name);
    if (map_get(&parts->ids, part_key(part)))
        return fail_at(r, value.text.ptr, "%s: the %s \"%.80s\" stands here twice", r->path,
                       parts->kind, part->id);
    map_put(&parts->ids, part);
    if (part->progress < 0)
        part->progress = strcmp(part->status, "completed") == 0 ? 100 : 0;
    parts->out->count++;
    return 0;
}

static int read_part_list(struct reader *r, struct part_reader *parts, struct json_value list)
{
    size_t stem = strlen(r->path);
    struct json_value element;
    for (struct json_iter it = json_elements(list); json_next_element(&it, &element);) {
        snprintf(r->path + stem, PATH_SIZE - stem, "[%zu]", parts->out->count);
        int error = read_part(r, parts, NULL, element);
        if (error)
            return error;
    }
    return 0;
}

static int read_keyed_parts(struct reader *r, struct part_reader *parts, struct json_value object)
{
    size_t stem = strlen(r->path);
    struct json_member member;
    for (struct json_iter it = json_members(object); json_next_member(&it, &member);) {
        struct json_value name = {.kind = JSON_STRING,
                                  .text = slice_of(member.name.ptr - 1, member.name.len + 2)};
        const char *key = "";
        int error = read_name(r, name, &key);
        if (error)
            return error;
        snprintf(r->path + stem, PATH_SIZE - stem, ".%.80s", key);
        error = read_part(r, parts, key, member.value);
        if (error)
            return error;
        r->path[stem] = '\0';
    }
    return 0;
}

static int read_parts(struct reader *r, struct json_value value, struct part_reader *parts)
{
    if (value.kind != JSON_ARRAY && value.kind != JSON_OBJECT)
        return fail_kind(r, value, "a list of objects, or an object keyed by id");
    bool list = value.kind == JSON_ARRAY;
    size_t count = list ? count_elements(value) : count_members(value);
    parts->out->items = memory_try_alloc(count * sizeof *parts->out->items);
    if (!parts->out->items)
        return fail_memory(r);
    map_init(&parts->ids, part_key);
    int error = list ? read_part_list(r, parts, value) : read_keyed_parts(r, parts, value);
    map_fini(&parts->ids);
    return error;
}

static int read_components(struct reader *r, struct json_value value, void *into)
{
    return read_parts(
        r, value,
        &(struct part_reader){.kind = "component", .id_name = "component_id", .out = into});
}

static int read_features(struct reader *r, struct json_value value, void *into)
{
    return read_parts(
        r, value, &(struct part_reader){.kind = "feature", .id_name = "feature_id", .out = into});
}

/* An error is a text, or an object with a "message" or else taken as it stands. Tools also write
 * "" and false for "no error". */
static int read_error(struct reader *r, struct json_value value, void *into)
{
    const char **out = into;
    struct json_value message;
    if (value.kind == JSON_FALSE || json_string_is(value, ""))
        return 0;
    if (value.kind == JSON_OBJECT)
        return json_find(value, SLICE("message"), &message) && message.kind == JSON_STRING
                   ? read_string(r, message, out)
                   : read_object_text(r, value, out);
    if (value.kind != JSON_STRING)
        return fail_kind(r, value, "a string or an object");
    return read_string(r, value, out);
}

/* Always worked out anew, so only its type matters. */
static int check_overall(struct reader *r, struct json_value value, void *into)
{
    (void)into;
    if (value.kind != JSON_OBJECT && value.kind != JSON_NUMBER)
        return fail_kind(r, value, "an object or a number");
    return 0;
}

/* The id of a checkpoint that has none: the file's name without directory and ".json". */
static int default_id(struct reader *r)
{
    const char *slash = strrchr(r->name, '/');
    struct slice stem = slice_from(slash ? slash + 1 : r->name);
    if (stem.len > 5 && memcmp(stem.ptr + stem.len - 5, ".json", 5) == 0)
        stem.len -= 5;
    if (stem.len == 0)
        return fail_at(r, r->checkpoint->document.text.ptr, "expected a member id");
    r->checkpoint->id = arena_copy(r, stem);
    return 0;
}

static int read_document(struct reader *r)
{
    struct fan_checkpoint *c = r->checkpoint;
    static const struct member_rule rules[] = {
        {"id", read_name},
        {"timestamp", read_string},
        {"phase", read_string},
        {"status", read_string},
        {"tasks_completed", read_strings},
        {"files_created", read_strings},
        {"metadata", read_object_text},
        {"components", read_components},
        {"features", read_features},
        {"error", read_error},
        {"overall_progress", check_overall},
    };
    void *const into[] = {&c->id,       &c->timestamp, &c->phase,    &c->written_status,
                          &c->tasks,    &c->files,     &c->metadata, &c->components,
                          &c->features, &c->error,     NULL};
    if (c->document.kind != JSON_OBJECT)
        return fail_at(r, c->document.text.ptr, "expected an object, found %s",
                       json_kind_name(c->document.kind));
    int error = read_members(r, c->document, rules, sizeof rules / sizeof *rules, into);
    return error || c->id ? error : default_id(r);
}

static int check_syntax(struct reader *r)
{
    struct json_error json = {0};
    unsigned line, column;
    struct slice rest = r->text;
    while (rest.len && strchr(" \t\r\n", rest.ptr[0]) && rest.ptr[0])
        rest = slice_skip(rest, 1);
    if (rest.len == 0) {
        checkpoint_fail(r->error, r->name, 1, 1, "the file is empty; expected a JSON object");
        return FAN_E_TRUNCATED;
    }
    int error = json_parse(r->text, &r->checkpoint->document, &json);
    if (error) {
        json_locate(r->text, json.at, &line, &column);
        checkpoint_fail(r->error, r->name, line, column, "%s%s", json.message,
                        error == FAN_E_TRUNCATED ? " (the file ends too early)" : "");
    }
    return error;
}

static int parse(struct reader *r)
{
    int error = check_syntax(r);
    if (error)
        return error;
    r->arena_size = r->text.len + strlen(r->name) + 2;
    r->checkpoint->arena = memory_try_alloc(r->arena_size);
    if (!r->checkpoint->arena)
        return fail_memory(r);
    error = read_document(r);
    buf_fini(&r->scratch);
    return error;
}

int checkpoint_parse_owned(char *source, size_t len, const char *name,
                           struct fan_checkpoint **checkpoint, struct fan_checkpoint_error *error)
{
    struct fan_checkpoint_error ignored;
    struct reader r = {
        .text = slice_of(source, len), .name = name, .error = error ? error : &ignored};
    *checkpoint = NULL;
    r.checkpoint = memory_zero(sizeof *r.checkpoint);
    r.checkpoint->source = source;
    r.checkpoint->phase = r.checkpoint->timestamp = r.checkpoint->written_status = "";
    r.checkpoint->metadata = "{}";
    int result = parse(&r);
    if (result)
        fan_checkpoint_free(r.checkpoint);
    else
        *checkpoint = r.checkpoint;
    return result;
}

void fan_checkpoint_free(struct fan_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    memory_free(checkpoint->tasks.items);
    memory_free(checkpoint->files.items);
    memory_free(checkpoint->components.items);
    memory_free(checkpoint->features.items);
    memory_free(checkpoint->arena);
    memory_free(checkpoint->source);
    memory_free(checkpoint);
}
