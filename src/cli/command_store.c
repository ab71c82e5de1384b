/* `fanfare store`: looks at what a server keeps in its data directory, and takes it elsewhere. */
#include <string.h>

#include "base/glob.h"
#include "cli/server_config.h"
#include "cli/store_commands.h"
#include "fanfare/error.h"

static const struct {
    const char *name;
    int (*run)(const struct arguments *a, const struct config *config);
} parts[] = {
    {"check", store_check},
    {"stats", store_stats},
    {"export", store_export},
    {"import", store_import},
};

int store_open_data(struct store_offline *store, const struct config *config)
{
    struct buf why = {0};
    int error = store_offline_open(store, config->data, &why);
    if (error == FAN_E_NOT_FOUND)
        command_error(&store_command,
                      "%s; --data DIR says where the server keeps its data, and only engine sqlite "
                      "keeps any",
                      buf_text(&why));
    else if (error)
        command_error(&store_command, "%s", buf_text(&why));
    buf_fini(&why);
    return error ? FAILED : 0;
}

bool store_topic_is_wanted(const struct arguments *a, struct slice topic)
{
    for (int i = 1; i < a->rest_count; i++)
        if (glob_match(slice_from(a->rest[i]), topic, (struct glob_rules){0}))
            return true;
    return a->rest_count <= 1;
}

static int run_part(const struct arguments *a)
{
    struct config *config = NULL;
    int code = -1;
    if (a->rest_count == 0)
        return usage_error(&store_command, "expected check, stats, export or import");
    for (size_t i = 0; i < sizeof parts / sizeof *parts && code < 0; i++)
        if (strcmp(a->rest[0], parts[i].name) == 0) {
            code = server_config_load(a, "sqlite", &config);
            if (!code)
                code = parts[i].run(a, config);
        }
    config_free(config);
    if (code < 0)
        return usage_error(&store_command, "expected check, stats, export or import, got \"%s\"",
                           a->rest[0]);
    return code;
}

static int run(int argc, char **argv)
{
    struct arguments a;
    int code = arguments_init(&a, &store_command, argc, argv);
    if (!code)
        code = run_part(&a);
    arguments_fini(&a);
    return code;
}

const struct command store_command = {
    .name = "store",
    .summary = "check, measure, export and import what a server keeps on disk",
    .synopsis = (const char *const[]){"check [OPTIONS]", "stats [OPTIONS] [TOPIC…]",
                                      "export [OPTIONS] [TOPIC…]", "import [OPTIONS] FILE|-", NULL},
    .description =
        (const char *const[]){
            "`check` reads everything: the database's pages, the checksum of each stored run of "
            "events, and whether any topic's offsets have a hole. What is wrong is told line by "
            "line; the exit code is 1 then.",
            "`stats` tells how much each topic holds. `export` prints the events of all topics, or "
            "of those that are named (`*` stands for any characters), as one line of JSON each, in "
            "the order in which they happened. These three only read; a server may be running "
            "meanwhile.",
            "`import` publishes such lines to the data directory, which no server may be using "
            "just then. Ids, times, sources and data stay; offsets are given anew, behind what "
            "there is: into an empty directory, a whole export gets the offsets it had. A line "
            "whose id was imported within ten minutes is passed over, so an import that broke off "
            "can simply be done again.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"data", "DIR", NULL, "The server's data directory. [that of the configuration]"},
            {"config", "FILE", NULL, "The server's YAML file. [fanfare.yaml, if there is one]"},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare store check --data /var/lib/fanfare", "Is everything there and whole?"},
            {"fanfare store stats 'session:*'", "How much builds keep"},
            {"fanfare store export session:web > web.ndjson", "One session, to keep"},
            {"fanfare store import --data elsewhere web.ndjson", "And to another server"},
            {0},
        },
    .run = run,
};
