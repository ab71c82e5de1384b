/* The arguments of a command; see arguments.h. */
#include "cli/arguments.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/suggest.h"

static size_t option_total(const struct command *command)
{
    size_t n = 0;
    while (command->options[n].name)
        n++;
    return n;
}

/* The option's place in the table; -1: none. */
static int option_index(const struct command *command, struct slice name)
{
    for (int i = 0; command->options[i].name; i++)
        if (slice_is(name, command->options[i].name))
            return i;
    return -1;
}

static int unknown_option(const struct command *command, struct slice name)
{
    struct suggestion s = {.wanted = name};
    suggestion_offer(&s, "help");
    for (int i = 0; command->options[i].name; i++)
        suggestion_offer(&s, command->options[i].name);
    if (s.best)
        return usage_error(command, "unknown option --%.*s; did you mean --%s?", SLICE_ARG(name),
                           s.best);
    return usage_error(command, "unknown option --%.*s", SLICE_ARG(name));
}

/* The value is missing; `next`: the option that stands in its place, NULL: nothing does. */
static int missing_value(const struct command *command, const struct command_option *option,
                         const char *next)
{
    if (next)
        return usage_error(command, "--%s needs a value: %s; if %s is it, write --%s=%s",
                           option->name, option->argument, next, option->name, next);
    return usage_error(command, "--%s needs a value: %s", option->name, option->argument);
}

/* Reads the option at argv[*i], and its value. What looks like an option is taken for one: a value
 * that was forgotten would otherwise swallow it. */
static int read_option(struct arguments *a, int argc, char **argv, int *i)
{
    const char *text = argv[*i] + 2, *equals = strchr(text, '=');
    struct slice name = slice_of(text, equals ? (size_t)(equals - text) : strlen(text));
    int index = option_index(a->command, name);
    if (index < 0)
        return unknown_option(a->command, name);
    const struct command_option *option = &a->command->options[index];
    if (!option->argument) {
        if (equals)
            return usage_error(a->command, "--%s takes no value", option->name);
        a->values[index] = "";
    } else if (equals) {
        a->values[index] = equals + 1;
    } else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) {
        a->values[index] = argv[++*i];
    } else {
        return missing_value(a->command, option, *i + 1 < argc ? argv[*i + 1] : NULL);
    }
    return 0;
}

/* Whether the option at text is followed by its value. */
static bool value_follows(const struct command *command, const char *text)
{
    int index = strncmp(text, "--", 2) == 0 ? option_index(command, slice_from(text + 2)) : -1;
    return index >= 0 && command->options[index].argument;
}

int arguments_own(const struct command *command, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (command->runs_another && argv[i][0] != '-')
            return i;
        if (command->runs_another && value_follows(command, argv[i]))
            i++;
    }
    return i < argc ? i : argc;
}

int arguments_init(struct arguments *a, const struct command *command, int argc, char **argv)
{
    *a = (struct arguments){.command = command};
    a->values = memory_zero((option_total(command) + 1) * sizeof *a->values);
    a->rest = memory_zero(((size_t)argc + 1) * sizeof *a->rest); /* NULL behind the last */
    int own = arguments_own(command, argc, argv);
    for (int i = 1; i < own; i++) {
        int wrong = 0;
        if (strncmp(argv[i], "--", 2) == 0)
            wrong = read_option(a, argc, argv, &i);
        else if (argv[i][0] == '-' && argv[i][1])
            wrong = usage_error(command, "unknown option %s: options begin with --", argv[i]);
        else
            a->rest[a->rest_count++] = argv[i];
        if (wrong)
            return wrong;
    }
    bool marked = own < argc && strcmp(argv[own], "--") == 0;
    for (int i = own + marked; i < argc; i++)
        a->rest[a->rest_count++] = argv[i];
    return 0;
}

void arguments_fini(struct arguments *a)
{
    memory_free(a->values);
    memory_free(a->rest);
    *a = (struct arguments){0};
}

const char *arguments_get(const struct arguments *a, const char *option)
{
    int index = option_index(a->command, slice_from(option));
    if (index < 0)
        return NULL;
    if (a->values[index])
        return a->values[index];
    const char *variable = a->command->options[index].environment;
    const char *value = variable ? getenv(variable) : NULL;
    return value && *value ? value : NULL;
}

bool arguments_has(const struct arguments *a, const char *option)
{
    return arguments_get(a, option) != NULL;
}

static void say(const struct command *command, const char *format, va_list args)
{
    fprintf(stderr, "fanfare %s: ", command->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int usage_error(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
    fprintf(stderr, "Try: fanfare %s --help\n", command->name);
    return WRONG_USAGE;
}

int command_error(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(command, format, args);
    va_end(args);
    return FAILED;
}

bool arguments_time(const char *text, int *ms)
{
    static const struct {
        const char *name;
        long factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    long n = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (end != text && n >= 0 && strcmp(end, units[i].name) == 0 &&
            n <= INT_MAX / units[i].factor) {
            *ms = (int)(n * units[i].factor);
            return true;
        }
    return false;
}
