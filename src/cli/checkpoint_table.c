/* `fanfare checkpoint` in the table of commands; command_checkpoint.c does the work. */
#include "cli/command.h"

const struct command checkpoint_command = {
    .name = "checkpoint",
    .summary = "read a checkpoint file",
    .synopsis = (const char *const[]){"FILE [--summary|--components|--features] [--json]", NULL},
    .description =
        (const char *const[]){
            "Reads a checkpoint that a build tool wrote, with its progress worked out. A file that "
            "is not whole or not right is refused, with file, line and column.",
            NULL,
        },
    .options =
        (const struct command_option[]){
            {"summary", NULL, NULL, "Print only phase, status and progress."},
            {"components", NULL, NULL, "Print only the components."},
            {"features", NULL, NULL, "Print only the features."},
            {"json", NULL, NULL, "Print JSON."},
            {0},
        },
    .examples =
        (const struct command_example[]){
            {"fanfare checkpoint .buildrunner/checkpoints/checkpoint_1.json --summary",
             "How far is the build?"},
            {"fanfare checkpoint checkpoint_1.json --components --json | jq '.[].status'",
             "The components, for programs"},
            {0},
        },
    .run = command_checkpoint,
};
