/*
 * What can stand next on the command line; see complete.h.
 *
 * Everything comes from the commands' tables. What an option takes is told by the name of its
 * argument ("FILE", "TOPIC", "json|text"), what else may stand on the line by the synopsis.
 */
#include "cli/complete.h"

#include <ctype.h>
#include <string.h>

#include "cli/command.h"
#include "config/options.h"
#include "hub/catalogue.h"

struct line {
    struct buf *out;
    const struct command *command;
    struct slice word;   /* that is completed */
    struct slice before; /* what stands in the word in front of the value: "--sort=" */
    struct slice first;  /* argument that is no option */
    int place;           /* how many arguments that are no options stand before the word */
    bool only_arguments; /* behind "--" */
    const char *url, *token;
};

static void offer(struct line *l, struct slice value, const char *explanation)
{
    if (value.len < l->word.len ||
        (l->word.len && memcmp(value.ptr, l->word.ptr, l->word.len) != 0))
        return;
    buf_printf(l->out, "%.*s%.*s", SLICE_ARG(l->before), SLICE_ARG(value));
    if (*explanation)
        buf_append_char(l->out, '\t');
    for (; *explanation; explanation++)
        if (*explanation != '`')
            buf_append_char(l->out, *explanation);
    BUF_LITERAL(l->out, "\n");
}

/* ---- Values by the name of what is expected ---- */

/* What is written as it stands begins with a small letter; the rest is a name for something. */
static void offer_literals(struct line *l, struct slice names)
{
    struct slice one;
    while (slice_split(&names, '|', &one))
        if (one.len && (islower((unsigned char)one.ptr[0]) || isdigit((unsigned char)one.ptr[0])))
            offer(l, one, "");
}

/* "TYPE,…" is a list: what stands before the last comma of the word stays. */
static void skip_list(struct line *l, struct slice *argument)
{
    static const char dots[] = ",…";
    const size_t mark = sizeof dots - 1;
    if (argument->len < mark || memcmp(argument->ptr + argument->len - mark, dots, mark) != 0)
        return;
    argument->len -= mark;
    const char *comma = l->word.len ? memrchr(l->word.ptr, ',', l->word.len) : NULL;
    size_t n = comma ? (size_t)(comma + 1 - l->word.ptr) : 0;
    l->before = slice_of(l->before.len ? l->before.ptr : l->word.ptr, l->before.len + n);
    l->word = slice_skip(l->word, n);
}

static void offer_types(struct line *l)
{
    for (unsigned i = 0; i < catalogue_count(); i++)
        offer(l, catalogue_at(i)->name, catalogue_at(i)->meaning);
}

static void offer_commands(struct line *l)
{
    for (const struct command *const *c = commands; *c; c++)
        offer(l, slice_from((*c)->name), (*c)->summary);
}

static bool names(struct slice argument, const char *what)
{
    struct slice one;
    while (slice_split(&argument, '|', &one))
        if (slice_starts(one, what))
            return true;
    return false;
}

static void offer_argument(struct line *l, struct slice argument)
{
    skip_list(l, &argument);
    if (names(argument, "FILE") || names(argument, "ARGUMENT"))
        BUF_LITERAL(l->out, ":files\n");
    else if (names(argument, "DIR") || names(argument, "PATH"))
        BUF_LITERAL(l->out, ":directories\n");
    else if (names(argument, "TOPIC"))
        complete_topics(l->out, l->url, l->token, l->before, l->word, "");
    else if (names(argument, "TYPE"))
        offer_types(l);
    else if (names(argument, "COMMAND") && l->command == &help_command)
        offer_commands(l);
    else if (names(argument, "COMMAND"))
        BUF_LITERAL(l->out, ":commands\n");
    offer_literals(l, argument);
}

/* ---- Options ---- */

static const struct command_option *find_option(const struct command *command, struct slice name)
{
    for (const struct command_option *o = command->options; o->name; o++)
        if (slice_is(name, o->name))
            return o;
    return NULL;
}

/* `config` shows what `serve` would do with its options, and its help refers to that of serve. */
static bool takes_config_options(const struct command *command)
{
    return command->config_options || command == &config_command;
}

static const struct option *find_config_option(const struct command *command, struct slice name)
{
    const struct option *o = takes_config_options(command) ? option_find(name) : NULL;
    return o && !o->secret ? o : NULL;
}

static bool takes_value(const struct command *command, struct slice name)
{
    const struct command_option *own = find_option(command, name);
    if (own)
        return own->argument != NULL;
    const struct option *o = find_config_option(command, name);
    return o && *option_argument(o);
}

static void offer_value(struct line *l, struct slice name)
{
    const struct command_option *own = find_option(l->command, name);
    const struct option *o = own ? NULL : find_config_option(l->command, name);
    if (slice_is(name, "session"))
        complete_topics(l->out, l->url, l->token, l->before, l->word, "session:");
    else if (own && own->argument)
        offer_argument(l, slice_from(own->argument));
    else if (o && o->names)
        for (const char *const *value = o->names; *value; value++)
            offer(l, slice_from(*value), "");
    else if (o)
        offer_argument(l, slice_from(option_argument(o)));
}

static void offer_options(struct line *l)
{
    struct buf flag = {0};
    for (const struct command_option *o = l->command->options; o->name; o++) {
        buf_clear(&flag);
        buf_printf(&flag, "--%s", o->name);
        offer(l, buf_slice(&flag), o->help);
    }
    for (size_t i = 0; takes_config_options(l->command) && i < option_count; i++) {
        buf_clear(&flag);
        option_append_flag(&flag, &options[i]);
        if (!options[i].secret && !find_option(l->command, slice_skip(buf_slice(&flag), 2)))
            offer(l, buf_slice(&flag), options[i].help);
    }
    offer(l, SLICE("--help"), "Help on the terminal.");
    buf_fini(&flag);
}

/* ---- Arguments that are no options, by the synopsis ---- */

/* "[TOPIC]", "TOPIC…", "[TOPIC]…" → TOPIC; *repeats: there may be several. */
static struct slice bare(struct slice token, bool *repeats)
{
    static const char dots[] = "…";
    const size_t n = sizeof dots - 1;
    *repeats = token.len > n && memcmp(token.ptr + token.len - n, dots, n) == 0;
    if (*repeats)
        token.len -= n;
    while (token.len && token.ptr[0] == '[')
        token = slice_skip(token, 1);
    while (token.len && token.ptr[token.len - 1] == ']')
        token.len--;
    return token;
}

/* What stands at place l->place in one form of the synopsis; empty: nothing. */
static struct slice argument_at(const struct line *l, const char *form)
{
    struct slice rest = slice_from(form), token;
    bool repeats, skip = false;
    int place = 0;
    while (slice_split(&rest, ' ', &token)) {
        token = bare(token, &repeats);
        if (slice_starts(token, "--")) {
            skip = takes_value(l->command, slice_skip(token, 2));
            continue;
        }
        bool counts = !skip && !slice_starts(token, "OPTIONS");
        skip = false;
        if (counts && (place++ == l->place || repeats))
            return token;
    }
    return (struct slice){0};
}

/* A form that begins with a word to be written as it stands, as `token mint`, is for that word. */
static bool is_word(struct slice argument)
{
    return argument.len && islower((unsigned char)argument.ptr[0]);
}

static bool form_fits(const struct line *l, const char *form)
{
    struct slice rest = slice_from(form), first;
    return l->place == 0 || !slice_split(&rest, ' ', &first) || !is_word(first) ||
           slice_equal(first, l->first);
}

static void offer_arguments(struct line *l)
{
    for (const char *const *form = l->command->synopsis; *form; form++) {
        struct slice argument = {0};
        if (form_fits(l, *form))
            argument = argument_at(l, *form);
        if (argument.len)
            offer_argument(l, argument);
        if (argument.len && !is_word(argument))
            return;
    }
}

/* ---- The line ---- */

/* Walks the words before the last one. Returns the option whose value the last one is; empty: it is
 * none. */
static struct slice walk(struct line *l, char *const *words, int count)
{
    struct slice option = {0};
    for (int i = 1; i < count; i++) {
        struct slice word = slice_from(words[i]), name = {0};
        if (option.len) {
            if (slice_is(option, "url"))
                l->url = words[i];
            if (slice_is(option, "token"))
                l->token = words[i];
            option = name;
        } else if (!l->only_arguments && slice_is(word, "--")) {
            l->only_arguments = true;
        } else if (!l->only_arguments && slice_starts(word, "--")) {
            struct slice value = slice_skip(word, 2);
            slice_split(&value, '=', &name);
            if (slice_is(name, "url") && value.len)
                l->url = value.ptr;
            if (!memchr(word.ptr, '=', word.len) && takes_value(l->command, name))
                option = name;
        } else {
            if (l->place++ == 0)
                l->first = word;
            l->only_arguments |= l->command->runs_another; /* the other command's from here on */
        }
    }
    return option;
}

static void complete_argument(struct line *l, char *const *words, int count)
{
    struct slice option = walk(l, words, count - 1);
    const char *equals = l->word.len ? memchr(l->word.ptr, '=', l->word.len) : NULL;
    if (option.len) {
        offer_value(l, option);
    } else if (!l->only_arguments && slice_starts(l->word, "--") && equals) {
        size_t n = (size_t)(equals + 1 - l->word.ptr);
        l->before = slice_of(l->word.ptr, n);
        l->word = slice_skip(l->word, n);
        offer_value(l, slice_of(l->before.ptr + 2, n - 3));
    } else if (!l->only_arguments && slice_starts(l->word, "-")) {
        offer_options(l);
    } else {
        offer_arguments(l);
    }
}

void complete_append(struct buf *out, char *const *words, int count)
{
    struct line l = {.out = out, .word = slice_from(count ? words[count - 1] : "")};
    if (count <= 1) {
        offer_commands(&l);
        if (slice_starts(l.word, "-")) {
            offer(&l, SLICE("--help"), "Help on the terminal.");
            offer(&l, SLICE("--version"), "Which version this is.");
        }
        return;
    }
    l.command = command_find(words[0]);
    if (l.command)
        complete_argument(&l, words, count);
}
