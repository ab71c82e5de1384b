/* The values of options; see value.h. */
#include "config/value.h"

#include <limits.h>

#include "base/memory.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "fanfare/error.h"

/* A list in the environment or a file cannot grow beyond this. */
#define MAX_ITEMS 1024

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: writing takes the first that divides the value. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1},
    {"GB", 1u << 30},  {"MB", 1u << 20},  {"KB", 1u << 10},  {"G", 1u << 30},
    {"M", 1u << 20},   {"K", 1u << 10},   {NULL, 0},
};

static void *place(const struct config *c, const struct option *o)
{
    return (char *)c + o->at;
}

/* ---- Reading ---- */

static bool read_digits(struct slice *text, uint64_t *out)
{
    size_t i = 0;
    uint64_t n = 0;
    for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++)
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(text->ptr[i] - '0'), &n))
            return false;
    *text = slice_skip(*text, i);
    *out = n;
    return i > 0;
}

/* A number with one of the units; without any it counts `bare`. */
static bool read_number(struct slice text, const struct unit *units, uint64_t bare, uint64_t *out)
{
    if (!read_digits(&text, out))
        return false;
    uint64_t factor = text.len == 0 ? bare : 0;
    for (; units && units->name && !factor; units++)
        if (slice_is_nocase(text, units->name))
            factor = units->factor;
    return factor && !__builtin_mul_overflow(*out, factor, out);
}

static bool read_for_type(const struct option *o, struct slice text, uint64_t *out)
{
    switch (o->type) {
    case OPTION_SIZE:
        return read_number(text, size_units, 1, out);
    case OPTION_DURATION:
        return read_number(text, duration_units, 1000, out);
    default:
        return read_number(text, NULL, 1, out);
    }
}

static bool read_bool(struct slice text, bool *out)
{
    static const char *const words[] = {"false", "no", "off", "0", "true", "yes", "on", "1"};
    for (unsigned i = 0; i < 8; i++)
        if (slice_is_nocase(text, words[i])) {
            *out = i >= 4;
            return true;
        }
    return false;
}

static bool read_name(const struct option *o, struct slice text, unsigned *out)
{
    for (*out = 0; o->names[*out]; ++*out)
        if (slice_is(text, o->names[*out]))
            return true;
    return false;
}

/* ---- Words ---- */

static void append_number(struct buf *out, const struct option *o, uint64_t n)
{
    const struct unit *unit = o->type == OPTION_SIZE ? size_units : duration_units;
    if (o->type == OPTION_INT || n == 0) {
        buf_append_u64(out, n);
        return;
    }
    while (n % unit->factor)
        unit++;
    buf_append_u64(out, n / unit->factor);
    if (o->type != OPTION_SIZE || unit->factor > 1)
        buf_append_text(out, unit->name);
}

static void append_names(struct buf *out, const struct option *o)
{
    for (unsigned i = 0; o->names[i]; i++) {
        buf_append_text(out, i == 0 ? "" : o->names[i + 1] ? ", " : " or ");
        buf_append_text(out, o->names[i]);
    }
}

void value_append_expected(struct buf *out, const struct option *o)
{
    static const char *const numbers[] = {
        [OPTION_INT] = "a whole number",
        [OPTION_SIZE] = "a size such as 64KiB, 1MiB or 2GiB",
        [OPTION_DURATION] = "a time such as 500ms, 30s, 10m, 12h or 7d",
    };
    switch (o->type) {
    case OPTION_BOOL:
        BUF_LITERAL(out, "true or false");
        return;
    case OPTION_ENUM:
        append_names(out, o);
        return;
    case OPTION_STRING:
        BUF_LITERAL(out, "a text");
        return;
    case OPTION_LIST:
        BUF_LITERAL(out, "a list of texts");
        return;
    case OPTION_INT:
    case OPTION_SIZE:
    case OPTION_DURATION:
        buf_append_text(out, numbers[o->type]);
        BUF_LITERAL(out, " from ");
        append_number(out, o, o->min);
        BUF_LITERAL(out, " to ");
        append_number(out, o, o->max);
        return;
    }
}

static void append_got(struct buf *why, const struct option *o, struct slice text)
{
    if (o->secret)
        return;
    BUF_LITERAL(why, ", got ");
    json_append_lossy(why, text.len > 80 ? slice_of(text.ptr, 80) : text);
}

static int refuse(const struct option *o, struct slice text, struct buf *why)
{
    BUF_LITERAL(why, "expected ");
    value_append_expected(why, o);
    append_got(why, o, text);
    return FAN_E_INVALID;
}

/* ---- Setting ---- */

static int check_text(const struct option *o, struct slice text, struct buf *why)
{
    if (memchr(text.ptr ? text.ptr : "", '\0', text.len) || !utf8_valid(text)) {
        BUF_LITERAL(why, "expected text in UTF-8 without NUL bytes");
        return FAN_E_INVALID;
    }
    struct buf expected = {0};
    int error = o->check ? o->check(text, &expected) : 0;
    if (error) {
        BUF_LITERAL(why, "expected ");
        buf_append_slice(why, buf_slice(&expected));
        append_got(why, o, text);
    }
    buf_fini(&expected);
    return error;
}

static void list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        memory_free(list->items[i]);
    memory_free(list->items);
    *list = (struct config_list){0};
}

int value_add(struct config *c, const struct option *o, struct slice text, struct buf *why)
{
    struct config_list *list = place(c, o);
    int error = check_text(o, text, why);
    if (!error && text.len == 0) {
        BUF_LITERAL(why, "an item is empty");
        error = FAN_E_INVALID;
    }
    if (!error && list->count == MAX_ITEMS) {
        buf_printf(why, "expected at most %d items", MAX_ITEMS);
        error = FAN_E_INVALID;
    }
    if (error)
        return error;
    list->items = memory_realloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = memory_copy_string(text);
    return 0;
}

static int set_list(struct config *c, const struct option *o, const struct slice *texts,
                    size_t count, struct buf *why)
{
    struct config_list *list = place(c, o), old = *list;
    *list = (struct config_list){0};
    for (size_t i = 0; i < count; i++)
        if (value_add(c, o, texts[i], why)) {
            list_free(list);
            *list = old;
            return FAN_E_INVALID;
        }
    list_free(&old);
    return 0;
}

static int set_number(struct config *c, const struct option *o, struct slice text, struct buf *why)
{
    uint64_t n;
    if (!read_for_type(o, text, &n) || n < o->min || (o->max && n > o->max))
        return refuse(o, text, why);
    memcpy(place(c, o), &n, sizeof n);
    return 0;
}

static int set_string(struct config *c, const struct option *o, struct slice text, struct buf *why)
{
    int error = check_text(o, text, why);
    if (error)
        return error;
    char **string = place(c, o);
    memory_free(*string);
    *string = memory_copy_string(text);
    return 0;
}

static int set_name(struct config *c, const struct option *o, struct slice text, struct buf *why)
{
    unsigned number;
    if (!read_name(o, text, &number))
        return refuse(o, text, why);
    memcpy(place(c, o), &number, sizeof number);
    return 0;
}

int value_set(struct config *c, const struct option *o, const struct slice *texts, size_t count,
              struct buf *why)
{
    if (o->type == OPTION_LIST)
        return set_list(c, o, texts, count, why);
    switch (o->type) {
    case OPTION_BOOL:
        return read_bool(texts[0], place(c, o)) ? 0 : refuse(o, texts[0], why);
    case OPTION_ENUM:
        return set_name(c, o, texts[0], why);
    case OPTION_STRING:
        return set_string(c, o, texts[0], why);
    default:
        return set_number(c, o, texts[0], why);
    }
}

/* Adds the strings of a JSON list. */
static int add_json(struct config *c, const struct option *o, struct slice text, struct buf *why)
{
    struct json_value list, item;
    if (json_parse(text, &list, NULL) || list.kind != JSON_ARRAY) {
        BUF_LITERAL(why, "expected a JSON list of strings, or items with commas between");
        return FAN_E_INVALID;
    }
    struct json_iter it = json_elements(list);
    struct buf content = {0};
    int error = 0;
    while (!error && json_next_element(&it, &item)) {
        buf_clear(&content);
        if (item.kind == JSON_STRING)
            json_string_append(&content, item);
        else
            buf_append_text(why, "expected a JSON list that has only strings");
        error =
            item.kind == JSON_STRING ? value_add(c, o, buf_slice(&content), why) : FAN_E_INVALID;
    }
    buf_fini(&content);
    return error;
}

static int add_separated(struct config *c, const struct option *o, struct slice text,
                         struct buf *why)
{
    struct slice item;
    while (slice_split(&text, ',', &item)) {
        item = slice_trim(item);
        int error = item.len ? value_add(c, o, item, why) : 0;
        if (error)
            return error;
    }
    return 0;
}

int value_set_text(struct config *c, const struct option *o, struct slice text, struct buf *why)
{
    if (o->type != OPTION_LIST)
        return value_set(c, o, &text, 1, why);
    struct config_list *list = place(c, o), old = *list;
    *list = (struct config_list){0};
    text = slice_trim(text);
    /* "[::1]:80,…" begins with a bracket, too; JSON lists begin with a string or end at once. */
    struct slice inside = slice_trim(slice_skip(text, 1));
    bool json = slice_starts(text, "[") && inside.len && strchr("\"]", inside.ptr[0]);
    int error = (json ? add_json : add_separated)(c, o, text, why);
    list_free(error ? list : &old);
    if (error)
        *list = old;
    return error;
}

void value_clear(struct config *c, const struct option *o)
{
    if (o->type == OPTION_LIST) {
        list_free(place(c, o));
    } else if (o->type == OPTION_STRING) {
        char **string = place(c, o);
        memory_free(*string);
        *string = NULL;
    }
}

/* ---- Comparing and copying ---- */

static size_t value_size(const struct option *o)
{
    switch (o->type) {
    case OPTION_BOOL:
        return sizeof(bool);
    case OPTION_ENUM:
        return sizeof(unsigned);
    case OPTION_STRING:
        return sizeof(char *);
    case OPTION_LIST:
        return sizeof(struct config_list);
    default:
        return sizeof(uint64_t);
    }
}

static bool lists_equal(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

bool value_equal(const struct config *a, const struct config *b, const struct option *o)
{
    if (o->type == OPTION_LIST)
        return lists_equal(place(a, o), place(b, o));
    if (o->type == OPTION_STRING)
        return strcmp(*(char **)place(a, o), *(char **)place(b, o)) == 0;
    return memcmp(place(a, o), place(b, o), value_size(o)) == 0;
}

static struct config_list list_copy(const struct config_list *list)
{
    struct config_list copy = {.items = memory_zero((list->count + 1) * sizeof *copy.items)};
    for (; copy.count < list->count; copy.count++)
        copy.items[copy.count] = memory_copy_string(slice_from(list->items[copy.count]));
    return copy;
}

void value_copy(struct config *to, const struct config *from, const struct option *o)
{
    value_clear(to, o);
    if (o->type == OPTION_LIST)
        *(struct config_list *)place(to, o) = list_copy(place(from, o));
    else if (o->type == OPTION_STRING)
        *(char **)place(to, o) = memory_copy_string(slice_from(*(char **)place(from, o)));
    else
        memcpy(place(to, o), place(from, o), value_size(o));
}

/* ---- Writing ---- */

/* As a plain YAML scalar where that reads back as the same string, else in double quotes: JSON
 * strings are YAML. */
static void append_yaml_string(struct buf *out, const char *text)
{
    static const char *const plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-";
    if (*text && *text != '-' && strspn(text, plain) == strlen(text))
        buf_append_text(out, text);
    else
        json_append_string(out, slice_from(text));
}

static void append_list(struct buf *out, const struct config_list *list, bool json)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_append_text(out, i == 0 ? "" : json ? "," : ", ");
        json_append_string(out, slice_from(list->items[i]));
    }
    buf_append_char(out, ']');
}

static const char *enum_name(const struct config *c, const struct option *o)
{
    unsigned number;
    memcpy(&number, place(c, o), sizeof number);
    return o->names[number];
}

static uint64_t number_of(const struct config *c, const struct option *o)
{
    uint64_t n;
    memcpy(&n, place(c, o), sizeof n);
    return n;
}

void value_append_yaml(struct buf *out, const struct config *c, const struct option *o)
{
    switch (o->type) {
    case OPTION_BOOL:
        buf_append_text(out, *(bool *)place(c, o) ? "true" : "false");
        break;
    case OPTION_ENUM:
        buf_append_text(out, enum_name(c, o));
        break;
    case OPTION_STRING:
        append_yaml_string(out, *(char **)place(c, o));
        break;
    case OPTION_LIST:
        append_list(out, place(c, o), false);
        break;
    default:
        append_number(out, o, number_of(c, o));
    }
}

void value_append_json(struct buf *out, const struct config *c, const struct option *o)
{
    switch (o->type) {
    case OPTION_ENUM:
        json_append_string(out, slice_from(enum_name(c, o)));
        break;
    case OPTION_STRING:
        json_append_string(out, slice_from(*(char **)place(c, o)));
        break;
    case OPTION_LIST:
        append_list(out, place(c, o), true);
        break;
    case OPTION_BOOL:
        value_append_yaml(out, c, o);
        break;
    default:
        buf_append_u64(out, number_of(c, o));
    }
}
