/* The server that a benchmark measures; see bench_server.h. */
#include "cli/bench_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/top_fetch.h"
#include "fanfare/error.h"

#define START_MS 10000
#define STOP_MS  5000

/* ---- Cores and files ---- */

struct bench_cores bench_cores_take(void)
{
    struct bench_cores cores = {-1, -1};
    cpu_set_t allowed, mine;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return cores;
    for (int i = 0; i < CPU_SETSIZE && cores.load < 0; i++) {
        if (!CPU_ISSET((size_t)i, &allowed))
            continue;
        if (cores.server < 0)
            cores.server = i;
        else
            cores.load = i;
    }
    CPU_ZERO(&mine);
    CPU_SET((size_t)cores.load, &mine);
    if (sched_setaffinity(0, sizeof mine, &mine) != 0)
        cores = (struct bench_cores){-1, -1};
    return cores;
}

uint64_t bench_raise_files(uint64_t files)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return files;
    if (limit.rlim_max < files) { /* allowed for root only */
        struct rlimit wanted = {files, files};
        if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
            return files;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

/* ---- A server of our own ---- */

/* Nothing that is configured here may change what is measured. */
static void clear_environment(void)
{
    static const char *const kept[] = {"PATH",         "HOME",          "TMPDIR",
                                       "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    enum { COUNT = sizeof kept / sizeof kept[0] };
    char *values[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        const char *value = getenv(kept[i]);
        values[i] = value ? strdup(value) : NULL;
    }
    clearenv();
    for (size_t i = 0; i < COUNT; i++)
        if (values[i])
            setenv(kept[i], values[i], 1);
}

/* In the new process; does not return. */
static void become_server(int output, struct bench_cores cores, pid_t parent)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cores.server >= 0) {
        CPU_SET((size_t)cores.server, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1); /* it was gone before we asked to be told */
    signal(SIGPIPE, SIG_DFL);
    clear_environment();
    dup2(output, STDOUT_FILENO);
    execl("/proc/self/exe", "fanfare", "serve", "--config", "/dev/null", "--listen", "127.0.0.1:0",
          "--engine", "memory", "--workers", "1", "--log-level", "error", "--drain", "0s",
          (char *)NULL);
    _exit(127);
}

/* The first line that the server prints is its URL. */
static int read_url(struct bench_server *s, int output, struct buf *why)
{
    uint64_t deadline = clock_ms() + START_MS;
    size_t len = 0;
    while (!memchr(s->url, '\n', len) && len < sizeof s->url - 1) {
        struct pollfd ready = {.fd = output, .events = POLLIN};
        uint64_t now = clock_ms();
        ssize_t n = now < deadline && poll(&ready, 1, (int)(deadline - now)) > 0
                        ? read(output, s->url + len, sizeof s->url - 1 - len)
                        : 0;
        if (n <= 0) {
            BUF_LITERAL(why, "the server did not start");
            return FAN_E_IO;
        }
        len += (size_t)n;
    }
    s->url[strcspn(s->url, "\n")] = '\0';
    s->remote.url = s->url;
    s->remote.target.wake = -1;
    s->remote.target.timeout_ms = START_MS;
    return url_parse(s->url, &s->remote.target.url, why);
}

int bench_server_start(struct bench_server *s, struct bench_cores cores, struct buf *why)
{
    int output[2];
    *s = (struct bench_server){0};
    if (pipe2(output, O_CLOEXEC) != 0) {
        buf_append_text(why, strerror(errno));
        return FAN_E_IO;
    }
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0)
        become_server(output[1], cores, parent);
    close(output[1]);
    int error = s->pid > 0 ? read_url(s, output[0], why) : FAN_E_IO;
    close(output[0]); /* it prints nothing else */
    if (error)
        bench_server_stop(s);
    return error;
}

void bench_server_stop(struct bench_server *s)
{
    uint64_t deadline = clock_ms() + STOP_MS;
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGTERM);
    while (waitpid(s->pid, NULL, WNOHANG) == 0) {
        if (clock_ms() > deadline)
            kill(s->pid, SIGKILL);
        poll(NULL, 0, 5);
    }
    s->pid = 0;
}

/* ---- What it uses ---- */

struct bench_usage bench_server_usage(const struct bench_server *s)
{
    struct bench_usage usage = {-1, -1};
    struct top_sample sample = {0};
    struct buf text = {0}, why = {0};
    if (remote_get(&s->remote, SLICE("/metrics"), START_MS, &text, &why) == 0) {
        top_read_metrics(&sample, buf_slice(&text));
        if (sample.figures.cpu_seconds > 0)
            usage.cpu_seconds = sample.figures.cpu_seconds;
        if (sample.figures.resident_bytes > 0)
            usage.resident_bytes = sample.figures.resident_bytes;
    }
    buf_fini(&text);
    buf_fini(&why);
    return usage;
}

/* ---- The rest of the machine ---- */

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double own_seconds(void)
{
    struct rusage self = {0}, children = {0};
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds_of(self.ru_utime) + seconds_of(self.ru_stime) + seconds_of(children.ru_utime) +
           seconds_of(children.ru_stime);
}

struct bench_machine bench_machine_now(void)
{
    /* user nice system idle iowait irq softirq steal, in ticks: see proc(5) */
    enum { IDLE = 3, IO_WAIT = 4, COUNT_OF_STATES = 8 };
    char line[256];
    uint64_t busy = 0;
    struct bench_machine m = {.at = (double)clock_ns() / 1e9, .own = own_seconds()};
    FILE *file = fopen("/proc/stat", "re");
    bool there = file && fgets(line, sizeof line, file) && strncmp(line, "cpu ", 4) == 0;
    char *at = line + 4, *end;
    for (int i = 0; there && i < COUNT_OF_STATES; i++, at = end) {
        uint64_t ticks = strtoull(at, &end, 10);
        there = end != at;
        busy += i == IDLE || i == IO_WAIT ? 0 : ticks;
    }
    if (file)
        fclose(file);
    if (there)
        m.busy = (double)busy / (double)sysconf(_SC_CLK_TCK);
    return m;
}

double bench_machine_others(struct bench_machine before, struct bench_machine after)
{
    double all = (after.at - before.at) * (double)sysconf(_SC_NPROCESSORS_ONLN);
    double others = (after.busy - before.busy) - (after.own - before.own);
    if (all <= 0 || before.busy <= 0)
        return -1;
    return others > 0 ? others / all : 0;
}

/* ---- The setting ---- */

static void copy(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", SLICE_ARG(from));
}

/* The value of the first line of a file that begins with `name`; all of the line when name is "".
 */
static void read_line(const char *path, const char *name, char *to, size_t size)
{
    char line[512];
    FILE *file = fopen(path, "re");
    snprintf(to, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        const char *colon = *name ? strchr(line, ':') : NULL;
        struct slice value = slice_from(colon ? colon + 1 : line);
        value.len = strcspn(value.ptr, "\n");
        copy(to, size, slice_trim(value));
        break;
    }
    if (file)
        fclose(file);
}

int bench_setting_find(struct bench_setting *setting, const struct bench_server *s,
                       struct bench_cores cores, struct buf *why)
{
    struct top_sample sample;
    struct utsname name;
    int error = top_fetch(&s->remote, &sample, why);
    *setting = (struct bench_setting){
        .workers = sample.workers, .cores = sysconf(_SC_NPROCESSORS_ONLN), .pinned = cores};
    copy(setting->version, sizeof setting->version, sample.version);
    copy(setting->engine, sizeof setting->engine, sample.engine);
    copy(setting->flush, sizeof setting->flush, sample.flush);
    top_sample_fini(&sample);
    read_line("/proc/cpuinfo", "model name", setting->processor, sizeof setting->processor);
    read_line("/proc/sys/net/ipv4/tcp_congestion_control", "", setting->congestion,
              sizeof setting->congestion);
    if (uname(&name) == 0)
        snprintf(setting->kernel, sizeof setting->kernel, "%.30s %.60s", name.sysname,
                 name.release);
    return error;
}
