/* A server's configuration for other commands; see server_config.h. */
#include "cli/server_config.h"

int server_config_load(const struct arguments *a, const char *engine, struct config **config)
{
    static const char *const names[][2] = {{"config", "--config"}, {"data", "--data"}};
    char *args[6];
    int count = 0;
    struct buf problems = {0};
    for (int i = 0; i < 2; i++)
        if (arguments_has(a, names[i][0])) {
            args[count++] = (char *)names[i][1];
            args[count++] = (char *)arguments_get(a, names[i][0]);
        }
    if (engine) {
        args[count++] = (char *)"--engine";
        args[count++] = (char *)engine;
    }
    int error = config_load(config, count, args, &problems);
    while (problems.len && problems.data[problems.len - 1] == '\n')
        problems.len--;
    if (error)
        command_error(a->command, "%s", buf_text(&problems));
    buf_fini(&problems);
    return error ? FAILED : 0;
}
