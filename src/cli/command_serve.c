/* `fanfare serve`: reads the configuration and hands over to the server. */
#include <stdio.h>

#include "cli/arguments.h"
#include "config/config.h"
#include "fanfare/error.h"
#include "server/program.h"

static int run(int argc, char **argv)
{
    struct config *config;
    struct buf problems = {0};
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
        code = server_main(config);
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
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare serve", "A server for this machine on port 8000"},
            {"fanfare serve --watch . --listen 127.0.0.1:0",
             "Publish the checkpoints of this project, on any free port"},
            {"fanfare serve --config /etc/fanfare.yaml --log-format json",
             "As a service, with a file"},
            {0},
        },
    .config_options = true,
    .run = run,
};
