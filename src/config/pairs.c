/* The configuration of a server inside another program; see config.h. */
#include "config/loading.h"
#include "config/value.h"
#include "fanfare/error.h"

static void unknown_name(struct slice name, struct problems *problems)
{
    const char *near = option_suggest(name);
    problems->count++;
    buf_printf(problems->out, "unknown option \"%.*s\"", SLICE_ARG(name));
    if (near)
        buf_printf(problems->out, " (did you mean \"%s\"?)", near);
    buf_append_char(problems->out, '\n');
}

/* The first item of a list replaces the default. */
static int set_value(struct config *c, const struct option *o, struct slice value, struct buf *why)
{
    int error = 0;
    if (o->type != OPTION_LIST)
        return value_set(c, o, &value, 1, why);
    if (origin_of(c, o)->kind != ORIGIN_PAIR)
        error = value_set(c, o, NULL, 0, why);
    return error ? error : value_add(c, o, value, why);
}

static void read_pair(struct config *c, const struct config_pair *pair, struct problems *problems)
{
    struct slice name = slice_from(pair->name ? pair->name : "");
    const struct option *o = option_find(name);
    struct buf why = {0};
    if (!o) {
        unknown_name(name, problems);
        return;
    }
    if (!pair->value) {
        problems->count++;
        buf_printf(problems->out, "%s: needs a value, got NULL\n", o->name);
    } else if (set_value(c, o, slice_from(pair->value), &why) != 0) {
        problems->count++;
        buf_printf(problems->out, "%s: %s\n", o->name, buf_text(&why));
    }
    buf_fini(&why);
    *origin_of(c, o) = (struct origin){.kind = ORIGIN_PAIR};
}

int config_from_pairs(struct config **config, const struct config_pair *pairs, size_t count,
                      struct buf *out)
{
    struct problems problems = {.out = out};
    struct config *c = config_defaults();
    for (size_t i = 0; i < count; i++)
        read_pair(c, &pairs[i], &problems);
    if (problems.count == 0)
        config_check_together(c, &problems);
    config_resolve(c);
    *config = problems.count ? NULL : c;
    if (problems.count)
        config_free(c);
    return problems.count ? FAN_E_INVALID : 0;
}
