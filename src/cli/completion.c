/* Shell completions, from the commands' tables; see help.h. */
#include "cli/help.h"
#include "config/options.h"

/* Calls `each` for every option of a command, with its help. */
static void each_option(const struct command *command, struct buf *out,
                        void (*each)(struct buf *out, const char *command, const char *flag,
                                     bool value, const char *help))
{
    struct buf flag = {0};
    for (const struct command_option *o = command->options; o->name; o++) {
        buf_clear(&flag);
        buf_printf(&flag, "--%s", o->name);
        each(out, command->name, buf_text(&flag), o->argument != NULL, o->help);
    }
    for (size_t i = 0; command->config_options && i < option_count; i++) {
        if (options[i].secret)
            continue;
        buf_clear(&flag);
        option_append_flag(&flag, &options[i]);
        each(out, command->name, buf_text(&flag), *option_argument(&options[i]) != 0,
             options[i].help);
    }
    each(out, command->name, "--help", false, "Help on the terminal.");
    buf_fini(&flag);
}

static void bash_option(struct buf *out, const char *command, const char *flag, bool value,
                        const char *help)
{
    (void)command, (void)value, (void)help;
    buf_printf(out, "%s ", flag);
}

static void append_bash(struct buf *out)
{
    BUF_LITERAL(out, "# bash completion for fanfare: source it, or install it as\n"
                     "# /usr/share/bash-completion/completions/fanfare\n"
                     "_fanfare() {\n"
                     "    local word=${COMP_WORDS[COMP_CWORD]} words=''\n"
                     "    COMPREPLY=()\n"
                     "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                     "        words='");
    for (const struct command *const *c = commands; *c; c++)
        buf_printf(out, "%s ", (*c)->name);
    BUF_LITERAL(out, "--help --version'\n    else\n        case ${COMP_WORDS[1]} in\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_printf(out, "        %s) words='", (*c)->name);
        each_option(*c, out, bash_option);
        BUF_LITERAL(out, "' ;;\n");
    }
    BUF_LITERAL(out, "        esac\n"
                     "        [[ $word == -* ]] || words=''\n"
                     "    fi\n"
                     "    [ -n \"$words\" ] && mapfile -t COMPREPLY < "
                     "<(compgen -W \"$words\" -- \"$word\")\n"
                     "    return 0\n"
                     "}\n"
                     "complete -o default -F _fanfare fanfare\n");
}

/* Inside single quotes of zsh's and fish's specifications. */
static void append_quoted(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            BUF_LITERAL(out, "'\\''");
        else if (*text == '[' || *text == ']' || *text == ':')
            buf_printf(out, "\\%c", *text);
        else if (*text != '`')
            buf_append_char(out, *text);
    }
}

static void zsh_option(struct buf *out, const char *command, const char *flag, bool value,
                       const char *help)
{
    (void)command;
    buf_printf(out, "                '*%s%s[", flag, value ? "=" : "");
    append_quoted(out, help);
    buf_printf(out, "]%s' \\\n", value ? ":value:_files" : "");
}

static void append_zsh(struct buf *out)
{
    BUF_LITERAL(out, "#compdef fanfare\n"
                     "_fanfare() {\n"
                     "    local -a names\n"
                     "    if (( CURRENT == 2 )); then\n"
                     "        names=(\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_printf(out, "            '%s:", (*c)->name);
        append_quoted(out, (*c)->summary);
        BUF_LITERAL(out, "'\n");
    }
    BUF_LITERAL(out, "        )\n"
                     "        _describe command names\n"
                     "        return\n"
                     "    fi\n"
                     "    shift words\n"
                     "    (( CURRENT-- ))\n"
                     "    case $words[1] in\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_printf(out, "        %s)\n            _arguments \\\n", (*c)->name);
        each_option(*c, out, zsh_option);
        BUF_LITERAL(out, "                '*:argument:_files' ;;\n");
    }
    BUF_LITERAL(out, "    esac\n}\n_fanfare \"$@\"\n");
}

/* A description in fish's single quotes. */
static void fish_description(struct buf *out, const char *text)
{
    BUF_LITERAL(out, " -d '");
    for (const char *c = text; *c; c++)
        if (*c == '\'' || *c == '\\')
            buf_printf(out, "\\%c", *c);
        else if (*c != '`')
            buf_append_char(out, *c);
    BUF_LITERAL(out, "'\n");
}

static void fish_option(struct buf *out, const char *command, const char *flag, bool value,
                        const char *help)
{
    buf_printf(out, "complete -c fanfare -n '__fish_seen_subcommand_from %s' -l %s%s", command,
               flag + 2, value ? " -r" : "");
    fish_description(out, help);
}

static void append_fish(struct buf *out)
{
    BUF_LITERAL(out, "# fish completion for fanfare: ~/.config/fish/completions/fanfare.fish\n");
    for (const struct command *const *c = commands; *c; c++) {
        buf_printf(out, "complete -c fanfare -n __fish_use_subcommand -f -a %s", (*c)->name);
        fish_description(out, (*c)->summary);
    }
    for (const struct command *const *c = commands; *c; c++)
        each_option(*c, out, fish_option);
}

bool help_append_completion(struct buf *out, const char *shell)
{
    static const struct {
        const char *name;
        void (*append)(struct buf *out);
    } shells[] = {{"bash", append_bash}, {"zsh", append_zsh}, {"fish", append_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(shell, shells[i].name) == 0) {
            shells[i].append(out);
            return true;
        }
    return false;
}
