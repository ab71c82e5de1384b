/* Options by name, and what they are called in flags, the environment and help; see options.h. */
#include <ctype.h>
#include <string.h>

#include "config/options.h"
#include "config/suggest.h"

static bool is_separator(char c)
{
    return c == '.' || c == '_' || c == '-';
}

/* Whether the names are the same but for their separators. */
static bool same_name(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && !(is_separator(a.ptr[i]) && is_separator(b.ptr[i])))
            return false;
    return true;
}

const struct option *option_find(struct slice name)
{
    for (size_t i = 0; i < option_count; i++)
        if (same_name(name, slice_from(options[i].name)))
            return &options[i];
    return NULL;
}

bool option_is_section(struct slice name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strncmp(options[i].name, name.ptr, name.len) == 0 && options[i].name[name.len] == '.')
            return name.len > 0;
    return false;
}

/* Sections are offered as far as the wanted name reaches: for "limit" also "limits". */
const char *option_suggest(struct slice name)
{
    static const char *const sections[] = {
        "topics",
        "topics.session",
        "topics.project",
        "topics.agent",
        "topics.global",
        "topics.user",
        "topics.channel",
        "limits",
        "rooms",
        "deflate",
        "log",
        "tls",
        "jwt",
        "access",
        "memory",
        "metrics",
    };
    struct suggestion s = {.wanted = name};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        suggestion_offer(&s, sections[i]);
    for (size_t i = 0; i < option_count; i++)
        suggestion_offer(&s, options[i].name);
    return s.best;
}

void option_append_flag(struct buf *out, const struct option *o)
{
    BUF_LITERAL(out, "--");
    for (const char *c = o->name; *c; c++)
        buf_append_char(out, is_separator(*c) ? '-' : *c);
}

void option_append_environment(struct buf *out, const struct option *o)
{
    BUF_LITERAL(out, "FANFARE_");
    for (const char *c = o->name; *c; c++)
        buf_append_char(out, is_separator(*c) ? '_' : (char)toupper((unsigned char)*c));
}

const char *option_argument(const struct option *o)
{
    if (o->argument)
        return o->argument;
    switch (o->type) {
    case OPTION_BOOL:
        return "";
    case OPTION_INT:
        return "N";
    case OPTION_SIZE:
        return "SIZE";
    case OPTION_DURATION:
        return "TIME";
    case OPTION_ENUM:
        return "NAME";
    case OPTION_STRING:
    case OPTION_LIST:
        break;
    }
    return "TEXT";
}

const char *option_group_title(enum option_group group)
{
    static const char *const titles[GROUP_COUNT] = {
        [GROUP_SERVER] = "Server", [GROUP_STORAGE] = "Storage", [GROUP_SOURCES] = "Sources",
        [GROUP_ACCESS] = "Access", [GROUP_LIMITS] = "Limits",   [GROUP_DELIVERY] = "Delivery",
        [GROUP_LOG] = "Log",       [GROUP_TOPICS] = "Topics",
    };
    return titles[group];
}
