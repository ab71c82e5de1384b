/* The option table in words; see describe.h. */
#include "config/describe.h"

#include "codec/json.h"
#include "config/columns.h"
#include "config/loading.h"
#include "config/value.h"

/* The default as people write it: lists with a comma and a space between. */
static void append_default(struct buf *out, const struct option *o)
{
    for (const char *c = o->initial; c && *c; c++) {
        buf_append_char(out, *c);
        if (*c == ',')
            buf_append_char(out, ' ');
    }
}

/* ---- --help ---- */

static void append_option_help(struct buf *out, const struct option *o)
{
    struct buf term = {0}, text = {0};
    const char *argument = option_argument(o);
    option_append_flag(&term, o);
    buf_printf(&term, "%s%s", *argument ? " " : "", argument);
    buf_append_text(&text, o->help);
    if (o->type == OPTION_ENUM) {
        BUF_LITERAL(&text, " One of: ");
        value_append_expected(&text, o);
        BUF_LITERAL(&text, ".");
    }
    if (o->environment)
        buf_printf(&text, " Also %s in the environment.", o->environment);
    if (o->initial) {
        BUF_LITERAL(&text, " [");
        append_default(&text, o);
        BUF_LITERAL(&text, "]");
    }
    columns_append(out, buf_text(&term), buf_slice(&text));
    buf_fini(&term);
    buf_fini(&text);
}

void config_append_help(struct buf *out)
{
    for (int group = 0; group < GROUP_COUNT; group++) {
        buf_printf(out, "\n%s:\n", option_group_title((enum option_group)group));
        for (size_t i = 0; i < option_count; i++)
            if ((int)options[i].group == group && !options[i].secret)
                append_option_help(out, &options[i]);
    }
}

/* ---- docs/configuration.md ---- */

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by `fanfare config --docs` from src/config/options.c: change it there. -->\n"
    "\n"
    "Every option can be given in three places. What stands further up wins:\n"
    "\n"
    "1. **Flags** of `fanfare serve`: the key with `-` for `.` and `_`, so `limits.message_size` "
    "is\n"
    "   `--limits-message-size 2MiB`. Switches are turned on by `--insecure`, off by\n"
    "   `--no-insecure`. Lists are given by repeating the flag.\n"
    "2. **Environment**: the key in capitals with `_` for `.`, after `FANFARE_`, so\n"
    "   `FANFARE_LIMITS_MESSAGE_SIZE=2MiB`. Lists are separated by commas, or JSON lists. An "
    "empty\n"
    "   variable counts as not set. A few options also have the name that users of other systems\n"
    "   know; ours wins when both are set.\n"
    "3. **A YAML file**: `--config FILE`, or `FANFARE_CONFIG`, or `fanfare.yaml` in the working\n"
    "   directory. Keys may be nested or dotted:\n"
    "\n"
    "```yaml\n"
    "listen: [127.0.0.1:8000, unix:/run/fanfare.sock]\n"
    "limits:\n"
    "  messages: 10000\n"
    "  burst: 20000\n"
    "topics.session.age: 30d\n"
    "log: {level: debug, format: json}\n"
    "```\n"
    "\n"
    "A list from one place replaces the list from the places below it. Sizes count in steps of\n"
    "1024: `64KiB`, `64K` and `65536` are the same. Times are `500ms`, `30s`, `10m`, `12h`, `7d`;\n"
    "a bare number counts seconds.\n"
    "\n"
    "`fanfare config --check` says what is wrong with the configuration, `fanfare config --print`\n"
    "what is in effect and where each value comes from. On SIGHUP the server reads everything\n"
    "again; options marked **r** change at once, for the others it says that they need a restart.\n"
    "Secrets are never printed, and not accepted as flags, which every user of a machine can "
    "read.\n";

static void append_limits(struct buf *out, const struct option *o)
{
    struct buf expected = {0};
    if (o->type == OPTION_BOOL || o->type == OPTION_STRING || o->type == OPTION_LIST)
        return;
    value_append_expected(&expected, o);
    const char *range = strstr(buf_text(&expected), " from ");
    if (o->type == OPTION_ENUM)
        buf_printf(out, " One of %s.", buf_text(&expected));
    else if (range)
        buf_printf(out, " Allowed:%s.", range);
    buf_fini(&expected);
}

static void append_row(struct buf *out, const struct option *o)
{
    static const char *const types[] = {
        [OPTION_BOOL] = "switch",   [OPTION_INT] = "number",  [OPTION_SIZE] = "size",
        [OPTION_DURATION] = "time", [OPTION_STRING] = "text", [OPTION_LIST] = "list",
        [OPTION_ENUM] = "name",
    };
    buf_printf(out, "| `%s` | %s | ", o->name, types[o->type]);
    if (o->initial) {
        BUF_LITERAL(out, "`");
        append_default(out, o);
        BUF_LITERAL(out, "`");
    }
    buf_printf(out, " | %s | %s", o->reloadable ? "r" : "", o->help);
    append_limits(out, o);
    if (o->secret)
        BUF_LITERAL(out, " A secret: no flag.");
    if (o->environment)
        buf_printf(out, " Also `%s`.", o->environment);
    BUF_LITERAL(out, " |\n");
}

void config_append_docs(struct buf *out)
{
    buf_append_text(out, introduction);
    for (int group = 0; group < GROUP_COUNT; group++) {
        buf_printf(out, "\n## %s\n\n", option_group_title((enum option_group)group));
        BUF_LITERAL(out, "| Key | Type | Default | | Meaning |\n| --- | --- | --- | --- | --- |\n");
        for (size_t i = 0; i < option_count; i++)
            if ((int)options[i].group == group)
                append_row(out, &options[i]);
    }
}

/* ---- config --print ---- */

static bool is_empty(const struct config *c, const struct option *o)
{
    struct buf value = {0};
    value_append_json(&value, c, o);
    bool empty = slice_is(buf_slice(&value), "\"\"");
    buf_fini(&value);
    return empty;
}

/* A line of YAML: "key: value  # origin". A secret's, and that of a text that is not set, is a
 * comment. */
static void append_line(struct buf *out, const struct config *c, const struct option *o)
{
    size_t start = out->len;
    bool empty = is_empty(c, o);
    buf_printf(out, "%s%s: ", empty || o->secret ? "# " : "", o->name);
    if (empty)
        BUF_LITERAL(out, "not set");
    else if (o->secret)
        BUF_LITERAL(out, "set, but secret");
    else
        value_append_yaml(out, c, o);
    do
        buf_append_char(out, ' ');
    while (out->len - start < 48 && !out->failed);
    BUF_LITERAL(out, "# ");
    origin_append(out, c, o);
    BUF_LITERAL(out, "\n");
}

static void append_member(struct buf *out, const struct config *c, const struct option *o)
{
    buf_printf(out, "\"%s\":{\"value\":", o->name);
    if (o->secret)
        buf_append_text(out, is_empty(c, o) ? "null" : "\"secret\"");
    else
        value_append_json(out, c, o);
    BUF_LITERAL(out, ",\"origin\":");
    struct buf origin = {0};
    origin_append(&origin, c, o);
    json_append_lossy(out, buf_slice(&origin));
    buf_fini(&origin);
    BUF_LITERAL(out, "}");
}

void config_append_values(struct buf *out, const struct config *c, bool json)
{
    buf_append_text(out, json ? "{" : "");
    for (size_t i = 0; i < option_count; i++) {
        if (json && i > 0)
            BUF_LITERAL(out, ",");
        (json ? append_member : append_line)(out, c, &options[i]);
    }
    buf_append_text(out, json ? "}\n" : "");
}
