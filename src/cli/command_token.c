/* `fanfare token`: makes tokens, and says what is in them and what they are good for. */
#include <string.h>

#include "cli/token_commands.h"

static const struct {
    const char *name;
    int (*run)(const struct arguments *a);
} parts[] = {
    {"mint", token_mint},
    {"inspect", token_inspect},
    {"explain", token_explain},
};

static int run_part(const struct arguments *a)
{
    if (a->rest_count == 0)
        return usage_error(&token_command, "expected mint, inspect or explain");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(a->rest[0], parts[i].name) == 0)
            return parts[i].run(a);
    return usage_error(&token_command, "expected mint, inspect or explain, got \"%s\"", a->rest[0]);
}

static int run(int argc, char **argv)
{
    struct arguments a;
    int code = arguments_init(&a, &token_command, argc, argv);
    if (!code)
        code = run_part(&a);
    arguments_fini(&a);
    return code;
}

const struct command token_command = {
    .name = "token",
    .summary = "make a token, or see what one is good for",
    .synopsis =
        (const char *const[]){
            "mint --sub USER [--rooms PATTERN,…] [--publish PATTERN,…] [--expires TIME] [OPTIONS]",
            "inspect TOKEN [OPTIONS]", "explain TOKEN TOPIC [OPTIONS]", NULL},
    .description =
        (const char *const[]){
            "`mint` signs a token with the key that `fanfare serve` would have here "
            "(JWT_SECRET_KEY "
            "or the configuration's), with that of `--key-file`, or without any key with the "
            "development key of the data directory, which is made for it.",
            "`inspect` shows what a token says and whether it is good; the exit code is 1 when it "
            "is not. `explain` tells whether it may read a topic and publish to it, and why; the "
            "exit code is 1 when it may not read. TOKEN - reads it from stdin, where other users "
            "cannot see it.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"sub", "USER", NULL, "The user's id, which every token has."},
            {"rooms", "PATTERN,…", NULL,
             "What may be read, with `*` for any characters: session:*,project:abc. Without it the "
             "server's access.default decides. An empty list is `--rooms=`."},
            {"publish", "PATTERN,…", NULL, "What may be published to."},
            {"execute", NULL, NULL, "It may run code."},
            {"ai", NULL, NULL, "It may use AI."},
            {"role", "admin", NULL, "It may do all."},
            {"expires", "TIME|never", NULL, "How long it is good: 30s, 15m, 8h, 30d. [1h]"},
            {"kid", "ID", NULL, "Which key signs it, for servers with several."},
            {"key-file", "FILE", NULL,
             "The key: a secret, or a private key in PEM (to check tokens a public one)."},
            {"data", "DIR", NULL, "The server's data directory. [that of the configuration]"},
            {"config", "FILE", NULL, "The server's YAML file. [fanfare.yaml, if there is one]"},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare token mint --sub alice --rooms 'session:*,project:web'",
             "A reader's token, good for an hour"},
            {"fanfare token mint --sub builder --publish 'session:*' --expires 30d",
             "For a program that publishes"},
            {"fanfare token mint --sub root --role admin --key-file private.pem",
             "Signed with a private key"},
            {"fanfare token explain - session:web < token.txt", "May it read session:web?"},
            {0},
        },
    .run = run,
};
