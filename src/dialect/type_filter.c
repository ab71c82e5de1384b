/*
 * Type filters; see type_filter.h. A filter is a bit mask over the catalogue and a list of custom
 * types, which are wanted, or unwanted when the filter began as "everything but".
 */
#include "dialect/type_filter.h"

#include <stdio.h>

#include "base/memory.h"
#include "codec/json_writer.h"
#include "fanfare/error.h"
#include "hub/catalogue.h"

static uint64_t all_types(void)
{
    return (1ull << catalogue_count()) - 1;
}

static uint64_t error_bit(void)
{
    return 1ull << catalogue_index(catalogue_find(SLICE("error")));
}

static int no_memory(struct type_filter_error *error)
{
    snprintf(error->message, sizeof error->message, "not enough memory for this filter");
    return FAN_E_NO_MEMORY;
}

static struct event_filter *new_filter(void)
{
    struct event_filter *f = memory_try_alloc(sizeof *f);
    if (f)
        *f = (struct event_filter){.mask = error_bit()};
    return f;
}

static int find_custom(const struct event_filter *f, struct slice name)
{
    for (unsigned i = 0; i < f->custom_count; i++)
        if (slice_is(name, f->custom[i]))
            return (int)i;
    return -1;
}

static int add_custom(struct event_filter *f, struct slice name, struct type_filter_error *error)
{
    if (find_custom(f, name) >= 0)
        return 0;
    if (f->custom_count == TYPE_FILTER_MAX) {
        snprintf(error->message, sizeof error->message, "topics may name at most %d custom types",
                 TYPE_FILTER_MAX);
        return FAN_E_INVALID;
    }
    char **grown = memory_try_realloc(f->custom, (f->custom_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory(error);
    f->custom = grown;
    f->custom[f->custom_count++] = memory_copy_string(name);
    return 0;
}

static void remove_custom(struct event_filter *f, struct slice name)
{
    int i = find_custom(f, name);
    if (i < 0)
        return;
    memory_free(f->custom[i]);
    f->custom[i] = f->custom[--f->custom_count];
}

static int bad_name(struct slice name, struct type_filter_error *error)
{
    snprintf(error->message, sizeof error->message,
             "topics must be event types ([a-z][a-z0-9_.-]{0,63}), short names or \"*\", got "
             "\"%.*s\"",
             name.len > 40 ? 40 : (int)name.len, name.ptr);
    return FAN_E_INVALID;
}

/* One name: into the filter, or out of it. */
static int apply(struct event_filter *f, struct slice name, bool add,
                 struct type_filter_error *error)
{
    const struct event_type *type = catalogue_find_filter(name);
    if (type) {
        uint64_t bit = 1ull << catalogue_index(type);
        if (bit == error_bit())
            f->listed_error = add;
        else
            f->mask = add ? f->mask | bit : f->mask & ~bit;
        return 0;
    }
    if (!catalogue_name_valid(name))
        return bad_name(name, error);
    if (add != f->exclude)
        return add_custom(f, name, error);
    remove_custom(f, name);
    return 0;
}

static int not_a_list(struct type_filter_error *error)
{
    snprintf(error->message, sizeof error->message, "topics must be a list of strings");
    return FAN_E_INVALID;
}

/* Applies all names; *star says whether "*" was among them. */
static int apply_list(struct event_filter *f, struct json_value list, bool add, bool *star,
                      struct type_filter_error *error)
{
    struct json_iter it = json_elements(list);
    struct json_value element;
    struct buf name = {0};
    int result = 0;
    while (!result && json_next_element(&it, &element)) {
        if (element.kind != JSON_STRING) {
            result = not_a_list(error);
            break;
        }
        buf_clear(&name);
        json_string_append(&name, element);
        if (name.failed) {
            result = no_memory(error);
            break;
        }
        if (slice_is(buf_slice(&name), "*"))
            *star = true;
        else
            result = apply(f, buf_slice(&name), add, error);
    }
    buf_fini(&name);
    return result;
}

static int finish(struct event_filter *f, int result, bool star, struct event_filter **out)
{
    if (result || star) {
        event_filter_free(f);
        *out = NULL;
        return result;
    }
    *out = f;
    return 0;
}

int type_filter_parse(struct json_value list, struct event_filter **filter,
                      struct type_filter_error *error)
{
    bool star = false;
    *filter = NULL;
    if (list.kind != JSON_ARRAY)
        return not_a_list(error);
    struct event_filter *f = new_filter();
    if (!f)
        return no_memory(error);
    int result = apply_list(f, list, true, &star, error);
    return finish(f, result, star, filter);
}

int type_filter_parse_text(struct slice list, struct event_filter **filter,
                           struct type_filter_error *error)
{
    struct slice name;
    bool star = list.len == 0;
    int result = 0;
    *filter = NULL;
    struct event_filter *f = new_filter();
    if (!f)
        return no_memory(error);
    while (!result && slice_split(&list, ',', &name)) {
        name = slice_trim(name);
        if (slice_is(name, "*"))
            star = true;
        else
            result = apply(f, name, true, error);
    }
    return finish(f, result, star, filter);
}

static struct event_filter *copy_filter(const struct event_filter *from)
{
    struct event_filter *f = new_filter();
    if (!f)
        return NULL;
    if (!from) {
        f->mask = all_types();
        f->exclude = true;
        return f;
    }
    f->mask = from->mask;
    f->exclude = from->exclude;
    f->listed_error = from->listed_error;
    f->custom = from->custom_count ? memory_zero(from->custom_count * sizeof *f->custom) : NULL;
    for (unsigned i = 0; i < from->custom_count; i++)
        f->custom[f->custom_count++] = memory_copy_string(slice_from(from->custom[i]));
    return f;
}

int type_filter_remove(const struct event_filter *current, struct json_value list,
                       struct event_filter **filter, struct type_filter_error *error)
{
    bool star = false;
    *filter = NULL;
    if (list.kind != JSON_ARRAY)
        return not_a_list(error);
    struct event_filter *f = copy_filter(current);
    if (!f)
        return no_memory(error);
    int result = apply_list(f, list, false, &star, error);
    if (star && !result) { /* everything is taken away; errors remain */
        event_filter_free(f);
        f = new_filter();
        if (!f)
            return no_memory(error);
    }
    return finish(f, result, false, filter);
}

static void append_names(struct buf *out, uint64_t mask, const struct event_filter *f, bool custom)
{
    const char *separator = "";
    buf_append_char(out, '[');
    for (unsigned i = 0; i < catalogue_count(); i++) {
        if (!(mask >> i & 1))
            continue;
        buf_append_text(out, separator);
        json_append_string(out, catalogue_at(i)->name);
        separator = ",";
    }
    for (unsigned i = 0; custom && i < f->custom_count; i++) {
        buf_append_text(out, separator);
        json_append_string(out, slice_from(f->custom[i]));
        separator = ",";
    }
    buf_append_char(out, ']');
}

void type_filter_append(struct buf *out, const struct event_filter *filter)
{
    if (!filter || filter->exclude) {
        json_put_raw(out, "topics", SLICE("[\"*\"]"));
    } else {
        json_put_name(out, "topics");
        append_names(out, filter->mask & ~(filter->listed_error ? 0 : error_bit()), filter, true);
    }
    if (filter && filter->exclude) {
        json_put_name(out, "except");
        append_names(out, all_types() & ~filter->mask, filter, true);
    }
}
