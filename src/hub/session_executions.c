/*
 * The executions of a session: what ran last, and what those that run have written so far.
 *
 * Output stays until the result comes, which has it, too; when the result is too large to be kept
 * whole, the end of the output stays in its place.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "hub/session_sections.h"

#define LANGUAGE_MAX 64
#define PREVIEW_MAX  400
#define ERROR_MAX    4096
#define RESULT_MAX   (64 * 1024)

enum execution_status { RUNNING, COMPLETED, FAILED, STATUSES };
static const char *const status_names[STATUSES] = {"running", "completed", "failed"};

struct session_execution {
    struct kept id;       /* as it is, not JSON */
    struct kept language; /* JSON strings */
    struct kept preview;
    struct kept result; /* a JSON object */
    struct kept error, error_type;
    enum execution_status status;
    int64_t started, updated;
    struct session_terminal out, err;
};

enum { ID, LANGUAGE, PREVIEW, OUTPUT, STREAM, RESULT, ERROR, ERROR_TYPE, FIELDS };
static const struct slice field_names[FIELDS] = {
    NAME("execution_id"), NAME("language"), NAME("code_preview"), NAME("output"),
    NAME("stream"),       NAME("result"),   NAME("error"),        NAME("error_type")};

static void clear(struct session_execution *x)
{
    kept_clear(&x->id);
    kept_clear(&x->language);
    kept_clear(&x->preview);
    kept_clear(&x->result);
    kept_clear(&x->error);
    kept_clear(&x->error_type);
    session_terminal_fini(&x->out);
    session_terminal_fini(&x->err);
}

void session_executions_fini(struct session_executions *all)
{
    for (unsigned i = 0; i < all->count; i++)
        clear(&all->items[i]);
    memory_free(all->items);
    *all = (struct session_executions){0};
}

size_t session_executions_bytes(const struct session_executions *all)
{
    if (!all->items)
        return 0;
    size_t bytes = SESSION_EXECUTIONS * sizeof *all->items;
    for (unsigned i = 0; i < all->count; i++) {
        const struct session_execution *x = &all->items[i];
        bytes += x->id.len + x->language.len + x->preview.len + x->result.len + x->error.len +
                 x->error_type.len + x->out.cap + x->err.cap;
    }
    return bytes;
}

static struct session_execution *find(struct session_executions *all, struct slice id)
{
    for (unsigned i = 0; i < all->count; i++)
        if (slice_equal(kept_slice(&all->items[i].id), id))
            return &all->items[i];
    return NULL;
}

/* Of those that have ended the oldest, else the oldest. */
static void drop_one(struct session_executions *all)
{
    unsigned at = 0;
    for (unsigned i = all->count; i > 0; i--)
        if (all->items[i - 1].status != RUNNING)
            at = i - 1;
    clear(&all->items[at]);
    all->count--;
    memmove(&all->items[at], &all->items[at + 1], (all->count - at) * sizeof *all->items);
}

/* NULL: no memory. */
static struct session_execution *need(struct session_executions *all, struct slice id, int64_t time)
{
    struct session_execution *x = find(all, id);
    if (x)
        return x;
    if (!all->items)
        all->items = memory_try_alloc(SESSION_EXECUTIONS * sizeof *all->items);
    if (!all->items)
        return NULL;
    if (all->count == SESSION_EXECUTIONS)
        drop_one(all);
    x = &all->items[all->count];
    *x = (struct session_execution){.status = RUNNING, .started = time};
    if (!kept_set(&x->id, id))
        return NULL;
    all->count++;
    return x;
}

static bool keep_text(struct kept *kept, unsigned found, unsigned field,
                      const struct json_value *values, size_t longest)
{
    if (!(found >> field & 1) || values[field].kind != JSON_STRING)
        return true;
    return kept_set_string(kept, values[field], longest);
}

/* A result without its output. */
static bool keep_reduced(struct kept *kept, struct json_value result)
{
    struct json_iter it = json_members(result);
    struct json_member member;
    struct buf json = {0};
    json_begin(&json, NULL, '{');
    while (json_next_member(&it, &member)) {
        if (member.value.kind == JSON_STRING || member.value.kind == JSON_OBJECT ||
            member.value.kind == JSON_ARRAY || json_name_is(&member, SLICE("truncated")) ||
            member.name.len > LANGUAGE_MAX || json.len > RESULT_MAX / 2)
            continue;
        json_put_name(&json, NULL);
        buf_printf(&json, "\"%.*s\":%.*s", SLICE_ARG(member.name), SLICE_ARG(member.value.text));
    }
    json_put_bool(&json, "truncated", true);
    json_end(&json, '}');
    bool done = !json.failed && kept_set(kept, buf_slice(&json));
    buf_fini(&json);
    return done;
}

static bool keep_result(struct session_execution *x, struct json_value result)
{
    if (result.kind != JSON_OBJECT)
        return true;
    if (result.text.len > RESULT_MAX)
        return keep_reduced(&x->result, result);
    session_terminal_fini(&x->out);
    session_terminal_fini(&x->err);
    return kept_set(&x->result, result.text);
}

bool session_executions_fold(struct session_executions *all, const struct session_event *event)
{
    struct json_value values[FIELDS];
    unsigned found = session_pick(event->data, field_names, FIELDS, values);
    struct buf scratch = {0};
    struct slice id;
    bool done = true;
    if (!(found & 1) || values[ID].kind != JSON_STRING)
        return true;
    struct session_execution *x = NULL;
    if (session_text(values[ID], &scratch, &id) && id.len <= SESSION_ID_MAX)
        x = need(all, id, event->time);
    buf_fini(&scratch);
    if (!x)
        return id.len > SESSION_ID_MAX;
    x->updated = event->time;
    done &= keep_text(&x->language, found, LANGUAGE, values, LANGUAGE_MAX);
    done &= keep_text(&x->preview, found, PREVIEW, values, PREVIEW_MAX);
    done &= keep_text(&x->error, found, ERROR, values, ERROR_MAX);
    done &= keep_text(&x->error_type, found, ERROR_TYPE, values, LANGUAGE_MAX);
    if (found >> OUTPUT & 1) {
        bool to_err = found >> STREAM & 1 && json_string_is(values[STREAM], "stderr");
        done &= session_terminal_load(to_err ? &x->err : &x->out, values[OUTPUT]);
    }
    if (slice_is(event->type->name, "execution_complete"))
        x->status = COMPLETED;
    else if (slice_is(event->type->name, "execution_error"))
        x->status = FAILED;
    if (found >> RESULT & 1)
        done &= keep_result(x, values[RESULT]);
    return done;
}

static void put_kept(struct buf *out, const char *name, const struct kept *kept)
{
    if (kept->ptr)
        json_put_raw(out, name, kept_slice(kept));
}

void session_executions_append(const struct session_executions *all, const char *name,
                               struct buf *out)
{
    json_begin(out, name, '{');
    for (unsigned i = 0; i < all->count; i++) {
        const struct session_execution *x = &all->items[i];
        json_put_name_slice(out, kept_slice(&x->id));
        json_begin(out, NULL, '{');
        json_put_text(out, "status", status_names[x->status]);
        put_kept(out, "language", &x->language);
        put_kept(out, "code_preview", &x->preview);
        if (x->status == RUNNING || x->out.len || x->err.len) {
            session_terminal_append(&x->out, "stdout", out);
            session_terminal_append(&x->err, "stderr", out);
        }
        put_kept(out, "result", &x->result);
        put_kept(out, "error", &x->error);
        put_kept(out, "error_type", &x->error_type);
        json_put_time(out, "started", x->started);
        json_put_time(out, "updated", x->updated);
        json_end(out, '}');
    }
    json_end(out, '}');
}

/* ---- Snapshots ---- */

static void load_time(struct json_value object, const char *name, int64_t *time)
{
    struct json_value value;
    struct slice text;
    if (json_find(object, slice_from(name), &value) && json_string_plain(value, &text))
        clock_parse(text, time);
}

static bool load_streams(struct session_execution *x, struct json_value object)
{
    struct json_value value;
    bool done = true;
    if (json_find(object, SLICE("stdout"), &value))
        done &= session_terminal_load(&x->out, value);
    if (json_find(object, SLICE("stderr"), &value))
        done &= session_terminal_load(&x->err, value);
    return done;
}

static bool load_one(struct session_executions *all, const struct json_member *member)
{
    struct json_value values[FIELDS], status;
    struct slice quoted = slice_of(member->name.ptr - 1, member->name.len + 2), id;
    struct buf scratch = {0};
    struct session_execution *x = NULL;
    if (session_text((struct json_value){JSON_STRING, quoted}, &scratch, &id))
        x = need(all, id, 0);
    buf_fini(&scratch);
    if (!x)
        return false;
    unsigned found = session_pick(member->value.text, field_names, FIELDS, values);
    bool done = keep_text(&x->language, found, LANGUAGE, values, LANGUAGE_MAX);
    done &= keep_text(&x->preview, found, PREVIEW, values, PREVIEW_MAX);
    done &= keep_text(&x->error, found, ERROR, values, ERROR_MAX);
    done &= keep_text(&x->error_type, found, ERROR_TYPE, values, LANGUAGE_MAX);
    if (found >> RESULT & 1)
        done &= keep_result(x, values[RESULT]);
    for (unsigned i = 0; json_find(member->value, SLICE("status"), &status) && i < STATUSES; i++)
        if (json_string_is(status, status_names[i]))
            x->status = (enum execution_status)i;
    load_time(member->value, "started", &x->started);
    load_time(member->value, "updated", &x->updated);
    return load_streams(x, member->value) && done;
}

bool session_executions_load(struct session_executions *all, struct json_value object)
{
    if (object.kind != JSON_OBJECT)
        return true;
    struct json_iter it = json_members(object);
    struct json_member member;
    bool done = true;
    while (json_next_member(&it, &member))
        if (member.value.kind == JSON_OBJECT)
            done = load_one(all, &member) && done;
    return done;
}
