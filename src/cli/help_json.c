/* The commands' tables for programs; see help.h. */
#include "cli/help.h"

#include "codec/json_writer.h"
#include "config/options.h"

static void append_texts(struct buf *out, const char *name, const char *const *texts)
{
    json_begin(out, name, '[');
    for (; *texts; texts++)
        json_put_text(out, NULL, *texts);
    json_end(out, ']');
}

static void append_option(struct buf *out, const char *name, const char *argument,
                          const char *environment, const char *help)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "name", name);
    json_put_text(out, "argument", argument);
    json_put_text(out, "environment", environment);
    json_put_text(out, "help", help);
    json_end(out, '}');
}

static void append_config_options(struct buf *out)
{
    struct buf flag = {0}, environment = {0};
    for (size_t i = 0; i < option_count; i++) {
        const char *argument = option_argument(&options[i]);
        if (options[i].secret)
            continue;
        buf_clear(&flag);
        buf_clear(&environment);
        option_append_flag(&flag, &options[i]);
        option_append_environment(&environment, &options[i]);
        append_option(out, buf_text(&flag) + 2, *argument ? argument : NULL, buf_text(&environment),
                      options[i].help);
    }
    buf_fini(&flag);
    buf_fini(&environment);
}

static void append_command(struct buf *out, const struct command *c)
{
    json_begin(out, NULL, '{');
    json_put_text(out, "name", c->name);
    json_put_text(out, "summary", c->summary);
    append_texts(out, "synopsis", c->synopsis);
    append_texts(out, "description", c->description);
    json_begin(out, "options", '[');
    for (const struct command_option *o = c->options; o->name; o++)
        append_option(out, o->name, o->argument, o->environment, o->help);
    if (c->config_options)
        append_config_options(out);
    json_end(out, ']');
    json_begin(out, "examples", '[');
    for (const struct command_example *e = c->examples; e->line; e++) {
        json_begin(out, NULL, '{');
        json_put_text(out, "line", e->line);
        json_put_text(out, "meaning", e->meaning);
        json_end(out, '}');
    }
    json_end(out, ']');
    json_end(out, '}');
}

void help_append_json(struct buf *out, const struct command *command)
{
    if (command) {
        append_command(out, command);
    } else {
        json_begin(out, NULL, '{');
        json_put_text(out, "version", FANFARE_VERSION);
        json_begin(out, "commands", '[');
        for (const struct command *const *c = commands; *c; c++)
            append_command(out, *c);
        json_end(out, ']');
        json_end(out, '}');
    }
    BUF_LITERAL(out, "\n");
}
