/* `fanfare serve`: reads the configuration and hands over to the server. */
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "config/config.h"
#include "fanfare/error.h"
#include "server/program.h"

/* Takes this command's own switch out; what else is given belongs to the configuration. */
static bool take_json(int *argc, char **argv)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], "--json") != 0)
            argv[kept++] = argv[i];
    bool found = kept < *argc;
    *argc = kept;
    return found;
}

static int run(int argc, char **argv)
{
    struct config *config;
    struct buf problems = {0};
    bool json = take_json(&argc, argv);
    int error = config_load(&config, argc - 1, argv + 1, &problems);
    int code = error == FAN_E_INVALID ? WRONG_USAGE : FAILED;
    if (!error) {
        error = config_supported(config, &problems);
        if (error)
            BUF_LITERAL(&problems, "\n");
    }
    if (error) {
        fputs(buf_text(&problems), stderr);
        if (code == WRONG_USAGE)
            fputs("Try: fanfare serve --help\n", stderr);
    } else {
        code = server_main(config, json);
    }
    config_free(config);
    buf_fini(&problems);
    return code;
}

const struct command serve_command = {
    .name = "serve",
    .summary = "run a server",
    .synopsis = (const char *const[]){"[OPTIONS]", NULL},
    .description =
        (const char *const[]){
            "Runs until SIGTERM or Ctrl-C. The first line on stdout is the URL. SIGHUP reads the "
            "configuration again and opens the log file anew.",
            "Every option can also stand in the environment (`--limits-queue` is "
            "FANFARE_LIMITS_QUEUE) or in a YAML file (`limits.queue`); flags win over the "
            "environment, that over the file. Switches are turned off by `--no-NAME`.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"config", "FILE", "FANFARE_CONFIG", "The YAML file. [fanfare.yaml, if there is one]"},
            {"json", NULL, NULL,
             "Print a line of JSON instead of the URL when it listens, and one each when it begins "
             "to go down and when it has stopped. The log is another matter: --log-format."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare serve", "A server for this machine on port 8000"},
            {"fanfare serve --watch . --listen 127.0.0.1:0",
             "Publish the checkpoints of this project, on any free port"},
            {"fanfare serve --config /etc/fanfare.yaml --log-format json",
             "As a service, with a file"},
            {"fanfare serve --json --listen 127.0.0.1:0 > server.json",
             "For programs: where it listens, on any free port"},
            {0},
        },
    .config_options = true,
    .run = run,
};
