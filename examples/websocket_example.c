/*
 * A server with the build stream, a watched project and a demo: a program of one file that does
 * what `fanfare serve --watch .` does, and shows where the events of a build come from.
 *
 *   websocket_example [HOST:PORT]
 *
 * Then open http://127.0.0.1:8000/examples/websocket_client.html?session=example_session, or
 *
 *   ws://127.0.0.1:8000/api/build/stream/example_session
 *
 * What is written below .buildrunner in the current directory is published to that session, and
 * every second the demo takes its build a step further.
 */
#include <fanfare/broadcast.h>
#include <fanfare/server.h>
#include <fanfare/watcher.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SESSION "example_session"
#define STEP_S  1

static const char *const components[] = {"database", "auth_service", "api_server", "web_client"};
enum { COMPONENTS = sizeof components / sizeof *components, STEPS = 4 };

/* ---- The watched project ---- */

/* On the watcher's thread. */
static void on_file_event(void *arg, const char *type, const char *data, size_t size)
{
    struct fan_server *server = arg;
    struct fan_server_error error;
    if (fan_server_publish(server, "session:" SESSION, type, data, size, &error) != 0)
        fprintf(stderr, "%s: %s\n", type, error.message);
}

static struct fan_watcher *watch(struct fan_server *server)
{
    struct fan_watcher *watcher;
    struct fan_watcher_error error;
    const struct fan_watcher_options options = {.path = ".", .event = on_file_event, .arg = server};
    if (fan_watcher_new(&options, &watcher, &error) != 0)
        fprintf(stderr, "not watching: %s\n", error.message);
    return watcher;
}

/* ---- The demo ---- */

static void say(const struct fan_publisher *to, const char *text)
{
    fan_broadcast_terminal_output(to, SESSION, text, strlen(text), "stdout", "demo");
}

static void finish_component(const struct fan_publisher *to, unsigned index)
{
    const char *const tasks[] = {components[index]};
    fan_broadcast_build_progress(to, SESSION, COMPONENTS, index + 1, -1);
    fan_broadcast_checkpoint_update(to, SESSION, components[index], "build_demo", tasks, 1, NULL, 0,
                                    "{\"created_by\":\"demo\"}");
}

/* The build's next step: each component takes four, then the next one begins, and after the last
 * the build begins again. */
static void take_step(const struct fan_publisher *to, unsigned step)
{
    unsigned index = step / STEPS % COMPONENTS;
    unsigned part = step % STEPS + 1;
    bool done = part == STEPS;
    char line[128];
    snprintf(line, sizeof line, "[%u/%u] building %s\r\n", part, (unsigned)STEPS,
             components[index]);
    say(to, line);
    int error = fan_broadcast_component_update(to, SESSION, components[index],
                                               done ? "completed" : "in_progress",
                                               100.0 * part / STEPS, NULL);
    if (error)
        fprintf(stderr, "component_update: %s\n", fan_error_text(error));
    if (done)
        finish_component(to, index);
}

/* Until SIGINT or SIGTERM, which are waited for here and blocked everywhere else. */
static void run_demo(struct fan_server *server, const sigset_t *ends)
{
    const struct fan_publisher to = fan_server_publisher(server);
    const struct timespec pause = {.tv_sec = STEP_S};
    unsigned step = 0;
    do
        take_step(&to, step++);
    while (sigtimedwait(ends, NULL, &pause) < 0);
}

/* ---- The server ---- */

int main(int argc, char **argv)
{
    const struct fan_server_option options[] = {
        {"listen", argc > 1 ? argv[1] : "127.0.0.1:8000"},
        {"drain", "1s"},
    };
    struct fan_server *server;
    struct fan_server_error error;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);

    if (fan_server_new(&(struct fan_server_options){options, 2}, &server, &error) != 0 ||
        fan_server_start(server, &error) != 0) {
        fprintf(stderr, "websocket_example: %s\n", error.message);
        fan_server_free(server);
        return 1;
    }
    printf("%s\n", fan_server_url(server, 0));
    fflush(stdout);
    struct fan_watcher *watcher = watch(server);
    run_demo(server, &ends);
    fan_watcher_free(watcher);
    fan_server_free(server);
    return 0;
}
