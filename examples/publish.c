/*
 * Publishes what it reads to a server elsewhere, line by line, as the output of a build.
 *
 *   make 2>&1 | publish http://127.0.0.1:8000 build_123
 *
 * The client keeps trying while the server cannot be reached, and nothing is published twice.
 */
#include <fanfare/broadcast.h>
#include <fanfare/client.h>
#include <stdio.h>
#include <string.h>

static void on_problem(void *arg, const struct fan_client_problem *problem)
{
    (void)arg;
    fprintf(stderr, "publish: %s\n", problem->message);
}

/* Everything on stdin. Waits while the client's spool is full. */
static int publish_input(struct fan_client *client, const char *session)
{
    char line[4096];
    const struct fan_publisher to = fan_client_publisher(client);
    struct fan_terminal_stream stream = {0};
    int error = 0;
    while (!error && fgets(line, sizeof line, stdin)) {
        error = fan_client_wait_room(client, 8 * sizeof line, -1);
        if (!error)
            error = fan_terminal_stream_write(&stream, &to, session, line, strlen(line), "stdout",
                                              "publish");
    }
    if (!error)
        error = fan_terminal_stream_finish(&stream, &to, session, "stdout", "publish");
    return error;
}

static int finish(struct fan_client *client)
{
    struct fan_client_stats stats;
    if (fan_client_flush(client, 10000) != 0)
        fprintf(stderr, "publish: the server did not take everything within 10 s\n");
    fan_client_stats(client, &stats);
    printf("%llu events published\n", (unsigned long long)stats.acknowledged);
    return stats.acknowledged == stats.accepted ? 0 : 1;
}

int main(int argc, char **argv)
{
    char why[256];
    struct fan_client *client;
    struct fan_client_options options = {.on_problem = on_problem, .source = "publish"};
    if (argc != 3) {
        fprintf(stderr, "usage: publish URL SESSION\n");
        return 2;
    }
    options.url = argv[1];
    if (fan_client_new(&options, &client, why, sizeof why) != 0) {
        fprintf(stderr, "publish: %s\n", why);
        return 1;
    }
    int error = publish_input(client, argv[2]);
    if (error)
        fprintf(stderr, "publish: %s\n",
                error == FAN_E_INVALID ? fan_broadcast_problem() : fan_error_text(error));
    int code = finish(client);
    fan_client_free(client);
    return error ? 1 : code;
}
