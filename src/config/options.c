/* The table of options, and finding them by name; see options.h. */
#include "config/options.h"

#include <ctype.h>
#include <stddef.h>

#include "config/checks.h"
#include "config/suggest.h"

#define AT(member) .at = offsetof(struct config, member)
#define KiB        1024u
#define MiB        (1024u * KiB)
#define GiB        (1024ull * MiB)
#define SECOND     1000u
#define MINUTE     (60u * SECOND)
#define HOUR       (60u * MINUTE)
#define DAY        (24ull * HOUR)

static const char *const engine_names[] = {"memory", "sqlite", "redis", NULL};
static const char *const flush_names[] = {"auto", "uring", "send", NULL};
static const char *const access_names[] = {"reference", "strict", NULL};
static const char *const slow_names[] = {"catch-up", "latest", "disconnect", NULL};
static const char *const level_names[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const format_names[] = {"text", "json", NULL};

/* What is kept of one kind of topics, and how its slow readers are treated. */
#define TOPIC_OPTIONS(kind, number, durable_, count_, age_, bytes_, idle_)                         \
    {.name = "topics." kind ".durable",                                                            \
     .type = OPTION_BOOL,                                                                          \
     .group = GROUP_TOPICS,                                                                        \
     AT(topics[number].durable),                                                                   \
     .initial = durable_,                                                                          \
     .help = "Keep the log of `" kind "` topics on disk, with an engine that has one."},           \
        {.name = "topics." kind ".count",                                                          \
         .type = OPTION_INT,                                                                       \
         .group = GROUP_TOPICS,                                                                    \
         AT(topics[number].count),                                                                 \
         .initial = count_,                                                                        \
         .min = 1,                                                                                 \
         .max = 100000000,                                                                         \
         .help = "Events kept of each `" kind "` topic."},                                         \
        {.name = "topics." kind ".age",                                                            \
         .type = OPTION_DURATION,                                                                  \
         .group = GROUP_TOPICS,                                                                    \
         AT(topics[number].age_ms),                                                                \
         .initial = age_,                                                                          \
         .max = 3650 * DAY,                                                                        \
         .help = "How long events of `" kind "` topics are kept; 0: for ever."},                   \
        {.name = "topics." kind ".bytes",                                                          \
         .type = OPTION_SIZE,                                                                      \
         .group = GROUP_TOPICS,                                                                    \
         AT(topics[number].bytes),                                                                 \
         .initial = bytes_,                                                                        \
         .max = 1024 * GiB,                                                                        \
         .help = "Bytes kept of each `" kind "` topic; 0: no limit of its own."},                  \
        {.name = "topics." kind ".slow",                                                           \
         .type = OPTION_ENUM,                                                                      \
         .group = GROUP_TOPICS,                                                                    \
         AT(topics[number].slow),                                                                  \
         .initial = "catch-up",                                                                    \
         .names = slow_names,                                                                      \
         .help =                                                                                   \
             "What happens to a slow reader of `" kind "` topics: it reads on from history, gets " \
             "only the newest event of each key, or is disconnected with a cursor."},              \
    {                                                                                              \
        .name = "topics." kind ".idle", .type = OPTION_DURATION, .group = GROUP_TOPICS,            \
        AT(topics[number].idle_ms), .initial = idle_, .min = SECOND, .max = 3650 * DAY,            \
        .help = "The memory of `" kind "` topics without readers and writers is freed after this." \
    }

const struct option options[] = {
    {.name = "listen",
     .type = OPTION_LIST,
     .group = GROUP_SERVER,
     AT(listen),
     .initial = "127.0.0.1:8000",
     .argument = "HOST:PORT",
     .check = check_listen,
     .help = "Where to listen: `HOST:PORT`, `[V6]:PORT` or `unix:PATH`. Port 0 takes a free one. "
             "Repeatable."},
    {.name = "public_url",
     .type = OPTION_LIST,
     .group = GROUP_SERVER,
     AT(public_urls),
     .argument = "URL",
     .check = check_public_url,
     .reloadable = true,
     .help = "How browsers reach this server, for instance `https://live.example.com`: such an "
             "origin and host are the server's own. Repeatable."},
    {.name = "base_path",
     .type = OPTION_STRING,
     .group = GROUP_SERVER,
     AT(base_path),
     .argument = "/PATH",
     .check = check_base_path,
     .help = "Path that a proxy puts in front of all routes, for instance `/live`."},
    {.name = "workers",
     .type = OPTION_INT,
     .group = GROUP_SERVER,
     AT(workers),
     .initial = "0",
     .max = 64,
     .help = "Network threads, at most 64; 0: one for each core."},
    {.name = "open_files",
     .type = OPTION_INT,
     .group = GROUP_SERVER,
     AT(open_files),
     .initial = "0",
     .max = 100000000,
     .help = "Open files to ask the system for, one for each connection; 0: as many as the hard "
             "limit allows."},
    {.name = "drain",
     .type = OPTION_DURATION,
     .group = GROUP_SERVER,
     AT(drain_ms),
     .initial = "10s",
     .max = HOUR,
     .reloadable = true,
     .help = "At shutdown connections are closed spread over this time, so that clients do not "
             "all come back at once."},
    {.name = "demo",
     .type = OPTION_BOOL,
     .group = GROUP_SERVER,
     AT(demo),
     .initial = "true",
     .reloadable = true,
     .help = "Offer `POST /demo/send-update`."},

    {.name = "data",
     .type = OPTION_STRING,
     .group = GROUP_STORAGE,
     AT(data),
     .initial = ".fanfare",
     .argument = "DIR",
     .help = "Directory of what must survive a restart; made when it is first needed. "
             "Engine sqlite keeps events there; engine memory keeps none."},
    {.name = "engine",
     .type = OPTION_ENUM,
     .group = GROUP_STORAGE,
     AT(engine),
     .initial = "memory",
     .names = engine_names,
     .help = "What orders and keeps events."},
    {.name = "redis_url",
     .type = OPTION_STRING,
     .group = GROUP_STORAGE,
     AT(redis_url),
     .environment = "REDIS_URL",
     .argument = "URL",
     .secret = true,
     .help = "Redis server of the `redis` engine; setting it chooses that engine."},
    {.name = "memory.limit",
     .type = OPTION_SIZE,
     .group = GROUP_STORAGE,
     AT(memory_limit),
     .initial = "256MiB",
     .min = MiB,
     .max = 1024 * GiB,
     .help = "Memory for the history of all topics together."},

    {.name = "watch",
     .type = OPTION_LIST,
     .group = GROUP_SOURCES,
     AT(watch),
     .argument = "PATH[=SESSION]",
     .check = check_watch,
     .help = "Project directory whose checkpoints, context and artifacts are published to a "
             "session. Repeatable."},
    {.name = "watch.directory",
     .type = OPTION_STRING,
     .group = GROUP_SOURCES,
     AT(watch_directory),
     .initial = ".buildrunner",
     .argument = "NAME",
     .check = check_directory_name,
     .help = "The directory in a watched project that holds `checkpoints`, `context` and "
             "`artifacts`. In a file write it as `watch.directory:` beside `watch:`."},
    {.name = "session",
     .type = OPTION_STRING,
     .group = GROUP_SOURCES,
     AT(session),
     .argument = "ID",
     .check = check_identifier,
     .help = "Session of watched directories that name none; without it the directory's name."},
    {.name = "insecure",
     .type = OPTION_BOOL,
     .group = GROUP_ACCESS,
     AT(insecure),
     .initial = "false",
     .help = "Listen on other than loopback addresses without any key: whoever reaches the port "
             "may do everything."},
    {.name = "cors_origins",
     .type = OPTION_LIST,
     .group = GROUP_ACCESS,
     AT(cors_origins),
     .environment = "CORS_ORIGINS",
     .argument = "ORIGIN",
     .check = check_origin,
     .reloadable = true,
     .help = "Other origins whose pages may connect, for instance `https://*.example.com`. "
             "Repeatable."},
    {.name = "trusted_proxies",
     .type = OPTION_LIST,
     .group = GROUP_ACCESS,
     AT(trusted_proxies),
     .argument = "ADDRESS[/BITS]",
     .check = check_network,
     .reloadable = true,
     .help = "Proxies whose `Forwarded` and `X-Forwarded-For` are believed. Repeatable."},
    {.name = "tls.cert",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(tls_cert),
     .argument = "FILE",
     .reloadable = true,
     .help = "Certificate chain, PEM; with it and `tls.key` the server speaks https and wss."},
    {.name = "tls.key",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(tls_key),
     .argument = "FILE",
     .reloadable = true,
     .help = "Private key of the certificate, PEM."},
    {.name = "jwt.key",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(jwt.key),
     .environment = "JWT_SECRET_KEY",
     .argument = "KEY",
     .secret = true,
     .reloadable = true,
     .help = "Secret that tokens are signed with (HS256), better of 32 bytes and more. With a key "
             "every request needs a token."},
    {.name = "jwt.public_key",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(jwt.public_key),
     .argument = "FILE",
     .reloadable = true,
     .help = "Public key or certificate of those who sign tokens, PEM: RSA, P-256 or Ed25519. Read "
             "again when the file changes."},
    {.name = "jwt.jwks",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(jwt.jwks),
     .argument = "FILE",
     .reloadable = true,
     .help = "Keys as a JSON Web Key Set; a token names its own with `kid`. Read again when the "
             "file changes."},
    {.name = "jwt.algorithm",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(jwt.algorithm),
     .environment = "JWT_ALGORITHM",
     .argument = "NAME",
     .check = check_algorithms,
     .reloadable = true,
     .help = "Algorithms that count, with commas between: `HS256`, `RS256`, `ES256`, `EdDSA`. "
             "Without it those that the keys are for."},
    {.name = "jwt.issuer",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(jwt.issuer),
     .argument = "TEXT",
     .reloadable = true,
     .help = "What the claim `iss` of every token must be."},
    {.name = "jwt.audience",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(jwt.audience),
     .argument = "TEXT",
     .reloadable = true,
     .help = "What the claim `aud` of every token must have."},
    {.name = "jwt.grace",
     .type = OPTION_DURATION,
     .group = GROUP_ACCESS,
     AT(jwt.grace_ms),
     .initial = "30s",
     .max = HOUR,
     .reloadable = true,
     .help = "How long a connection whose token has expired may bring a fresh one."},
    {.name = "access.default",
     .type = OPTION_ENUM,
     .group = GROUP_ACCESS,
     AT(access.initial),
     .initial = "reference",
     .names = access_names,
     .reloadable = true,
     .help = "What a token without the claim `rooms` may read: `global`, the user's own topic and "
             "all sessions, projects, agents and channels (`reference`), or the first two only "
             "(`strict`)."},
    {.name = "access.anonymous",
     .type = OPTION_LIST,
     .group = GROUP_ACCESS,
     AT(access.anonymous),
     .argument = "PATTERN",
     .check = check_topic_pattern,
     .reloadable = true,
     .help = "Topics that may be read without a token, for instance `session:*`. Repeatable."},
    {.name = "access.publish",
     .type = OPTION_LIST,
     .group = GROUP_ACCESS,
     AT(access.publish),
     .argument = "PATTERN",
     .check = check_topic_pattern,
     .reloadable = true,
     .help = "Topics that may be published to with any good token, also without the claim "
             "`publish`. Repeatable."},
    {.name = "access.execute",
     .type = OPTION_BOOL,
     .group = GROUP_ACCESS,
     AT(access.execute),
     .initial = "false",
     .reloadable = true,
     .help = "Any good token may run code, also without the claim `execute`."},
    {.name = "access.ai",
     .type = OPTION_BOOL,
     .group = GROUP_ACCESS,
     AT(access.ai),
     .initial = "false",
     .reloadable = true,
     .help = "Any good token may use AI, also without the claim `ai`."},
    {.name = "metrics.public",
     .type = OPTION_BOOL,
     .group = GROUP_ACCESS,
     AT(metrics_public),
     .initial = "false",
     .reloadable = true,
     .help = "Answer `/metrics` to other machines, too."},
    {.name = "github.webhook_secret",
     .type = OPTION_STRING,
     .group = GROUP_ACCESS,
     AT(github_webhook_secret),
     .environment = "GITHUB_WEBHOOK_SECRET",
     .argument = "SECRET",
     .secret = true,
     .reloadable = true,
     .help = "Secret that GitHub signs webhooks with; with one, `POST /webhooks/github` publishes "
             "pull requests and issues."},

    {.name = "limits.messages",
     .type = OPTION_INT,
     .group = GROUP_LIMITS,
     AT(limits.messages),
     .initial = "5000",
     .min = 1,
     .max = 10000000,
     .reloadable = true,
     .help = "Client messages a second on one connection; beyond them the server reads slower."},
    {.name = "limits.burst",
     .type = OPTION_INT,
     .group = GROUP_LIMITS,
     AT(limits.burst),
     .initial = "10000",
     .min = 1,
     .max = 100000000,
     .reloadable = true,
     .help = "Client messages at once on a connection that was quiet before."},
    {.name = "limits.connections",
     .type = OPTION_INT,
     .group = GROUP_LIMITS,
     AT(limits.connections),
     .initial = "0",
     .max = 100000000,
     .reloadable = true,
     .help = "Connections in all; 0: as many as the open files allow."},
    {.name = "limits.connections_per_address",
     .type = OPTION_INT,
     .group = GROUP_LIMITS,
     AT(limits.connections_per_address),
     .initial = "1000",
     .min = 1,
     .max = 100000000,
     .reloadable = true,
     .help = "Connections from one address; loopback and trusted proxies are not counted."},
    {.name = "limits.subscriptions",
     .type = OPTION_INT,
     .group = GROUP_LIMITS,
     AT(limits.subscriptions),
     .initial = "1000",
     .min = 1,
     .max = 1000000,
     .reloadable = true,
     .help = "Subscriptions of one connection."},
    {.name = "limits.handshake",
     .type = OPTION_DURATION,
     .group = GROUP_LIMITS,
     AT(limits.handshake_ms),
     .initial = "10s",
     .min = 100,
     .max = 10 * MINUTE,
     .reloadable = true,
     .help = "Time from the connect to the whole request head."},
    {.name = "limits.message_size",
     .type = OPTION_SIZE,
     .group = GROUP_LIMITS,
     AT(limits.message_size),
     .initial = "1MiB",
     .min = KiB,
     .max = 64 * MiB,
     .reloadable = true,
     .help = "Largest message of a client, and largest `data` of an event."},
    {.name = "limits.queue",
     .type = OPTION_SIZE,
     .group = GROUP_LIMITS,
     AT(limits.queue),
     .initial = "1MiB",
     .min = 16 * KiB,
     .max = GiB,
     .reloadable = true,
     .help = "Events waiting for one slow connection."},
    {.name = "limits.publish",
     .type = OPTION_INT,
     .group = GROUP_LIMITS,
     AT(limits.publish),
     .initial = "0",
     .max = 100000000,
     .reloadable = true,
     .help = "Events that one token may publish a second; 0: no limit."},

    {.name = "flush",
     .type = OPTION_ENUM,
     .group = GROUP_DELIVERY,
     AT(flush),
     .initial = "auto",
     .names = flush_names,
     .help = "How a loop turn's sends reach the kernel: `auto` takes io_uring where it works."},
    {.name = "ping_interval",
     .type = OPTION_DURATION,
     .group = GROUP_DELIVERY,
     AT(ping_interval_ms),
     .initial = "30s",
     .min = SECOND,
     .max = HOUR,
     .help = "WebSocket connections are pinged this often, and closed when nothing came from them "
             "by the next ping."},
    {.name = "rooms.ping_interval",
     .type = OPTION_DURATION,
     .group = GROUP_DELIVERY,
     AT(rooms.ping_interval_ms),
     .initial = "25s",
     .min = 100,
     .max = HOUR,
     .reloadable = true,
     .help = "Socket.IO clients are pinged so long after their last answer (`pingInterval`)."},
    {.name = "rooms.ping_timeout",
     .type = OPTION_DURATION,
     .group = GROUP_DELIVERY,
     AT(rooms.ping_timeout_ms),
     .initial = "1m",
     .min = 100,
     .max = HOUR,
     .reloadable = true,
     .help = "A Socket.IO client that sends nothing for so long after a ping is gone "
             "(`pingTimeout`)."},
    {.name = "rooms.connect_timeout",
     .type = OPTION_DURATION,
     .group = GROUP_DELIVERY,
     AT(rooms.connect_timeout_ms),
     .initial = "45s",
     .min = 100,
     .max = HOUR,
     .reloadable = true,
     .help = "A Socket.IO client has to connect to a namespace within this time."},
    {.name = "rooms.max_payload",
     .type = OPTION_SIZE,
     .group = GROUP_DELIVERY,
     AT(rooms.max_payload),
     .initial = "1000000",
     .min = KiB,
     .max = GiB,
     .reloadable = true,
     .help = "The largest message or body of a Socket.IO client (`maxPayload`)."},
    {.name = "rooms.recovery_window",
     .type = OPTION_DURATION,
     .group = GROUP_DELIVERY,
     AT(rooms.recovery_window_ms),
     .initial = "2m",
     .max = DAY,
     .reloadable = true,
     .help = "For so long the rooms of a Socket.IO client that dropped out are remembered, so that "
             "it can go on where it was."},
    {.name = "deflate.build",
     .type = OPTION_BOOL,
     .group = GROUP_DELIVERY,
     AT(deflate.build),
     .initial = "false",
     .help = "Offer permessage-deflate on `/api/build/stream`."},
    {.name = "deflate.ide",
     .type = OPTION_BOOL,
     .group = GROUP_DELIVERY,
     AT(deflate.ide),
     .initial = "false",
     .help = "Offer permessage-deflate on `/ws/SESSION`."},
    {.name = "deflate.channels",
     .type = OPTION_BOOL,
     .group = GROUP_DELIVERY,
     AT(deflate.channels),
     .initial = "false",
     .help = "Offer permessage-deflate on `/ws`."},
    {.name = "deflate.threshold",
     .type = OPTION_SIZE,
     .group = GROUP_DELIVERY,
     AT(deflate.threshold),
     .initial = "1KiB",
     .max = 64 * MiB,
     .help = "Smaller messages are not compressed."},
    {.name = "deflate.level",
     .type = OPTION_INT,
     .group = GROUP_DELIVERY,
     AT(deflate.level),
     .initial = "6",
     .min = 1,
     .max = 9,
     .help = "Compression level, 1 (fast) to 9 (small)."},

    {.name = "log.level",
     .type = OPTION_ENUM,
     .group = GROUP_LOG,
     AT(log.level),
     .initial = "info",
     .names = level_names,
     .reloadable = true,
     .help = "The least level that is logged."},
    {.name = "log.format",
     .type = OPTION_ENUM,
     .group = GROUP_LOG,
     AT(log.format),
     .initial = "text",
     .names = format_names,
     .reloadable = true,
     .help = "Form of the lines."},
    {.name = "log.file",
     .type = OPTION_STRING,
     .group = GROUP_LOG,
     AT(log.file),
     .argument = "FILE",
     .reloadable = true,
     .help = "Where the lines go, opened anew on SIGHUP; without it to stderr."},

    TOPIC_OPTIONS("session", CONFIG_SESSION, "true", "100000", "7d", "64MiB", "10m"),
    TOPIC_OPTIONS("project", CONFIG_PROJECT, "true", "10000", "7d", "16MiB", "10m"),
    TOPIC_OPTIONS("agent", CONFIG_AGENT, "true", "10000", "7d", "16MiB", "10m"),
    TOPIC_OPTIONS("global", CONFIG_GLOBAL, "true", "10000", "7d", "16MiB", "10m"),
    TOPIC_OPTIONS("user", CONFIG_USER, "true", "500", "7d", "1MiB", "10m"),
    TOPIC_OPTIONS("channel", CONFIG_CHANNEL, "false", "1000", "10m", "0", "10m"),
    {.name = "topics.channel.latest",
     .type = OPTION_LIST,
     .group = GROUP_TOPICS,
     AT(latest_channels),
     .initial = "search,diagnostics",
     .argument = "NAME",
     .check = check_identifier,
     .help = "Channels whose slow readers get only the newest event of each key, whatever "
             "`topics.channel.slow` says. Repeatable."},
};

const size_t option_count = sizeof options / sizeof options[0];

static bool is_separator(char c)
{
    return c == '.' || c == '_' || c == '-';
}

/* Whether the names are the same but for their separators. */
static bool same_name(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.ptr[i] != b.ptr[i] && !(is_separator(a.ptr[i]) && is_separator(b.ptr[i])))
            return false;
    return true;
}

const struct option *option_find(struct slice name)
{
    for (size_t i = 0; i < option_count; i++)
        if (same_name(name, slice_from(options[i].name)))
            return &options[i];
    return NULL;
}

bool option_is_section(struct slice name)
{
    for (size_t i = 0; i < option_count; i++)
        if (strncmp(options[i].name, name.ptr, name.len) == 0 && options[i].name[name.len] == '.')
            return name.len > 0;
    return false;
}

/* Sections are offered as far as the wanted name reaches: for "limit" also "limits". */
const char *option_suggest(struct slice name)
{
    static const char *const sections[] = {
        "topics",
        "topics.session",
        "topics.project",
        "topics.agent",
        "topics.global",
        "topics.user",
        "topics.channel",
        "limits",
        "rooms",
        "deflate",
        "log",
        "tls",
        "jwt",
        "access",
        "memory",
        "metrics",
    };
    struct suggestion s = {.wanted = name};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        suggestion_offer(&s, sections[i]);
    for (size_t i = 0; i < option_count; i++)
        suggestion_offer(&s, options[i].name);
    return s.best;
}

void option_append_flag(struct buf *out, const struct option *o)
{
    BUF_LITERAL(out, "--");
    for (const char *c = o->name; *c; c++)
        buf_append_char(out, is_separator(*c) ? '-' : *c);
}

void option_append_environment(struct buf *out, const struct option *o)
{
    BUF_LITERAL(out, "FANFARE_");
    for (const char *c = o->name; *c; c++)
        buf_append_char(out, is_separator(*c) ? '_' : (char)toupper((unsigned char)*c));
}

const char *option_argument(const struct option *o)
{
    if (o->argument)
        return o->argument;
    switch (o->type) {
    case OPTION_BOOL:
        return "";
    case OPTION_INT:
        return "N";
    case OPTION_SIZE:
        return "SIZE";
    case OPTION_DURATION:
        return "TIME";
    case OPTION_ENUM:
        return "NAME";
    case OPTION_STRING:
    case OPTION_LIST:
        break;
    }
    return "TEXT";
}

const char *option_group_title(enum option_group group)
{
    static const char *const titles[GROUP_COUNT] = {
        [GROUP_SERVER] = "Server", [GROUP_STORAGE] = "Storage", [GROUP_SOURCES] = "Sources",
        [GROUP_ACCESS] = "Access", [GROUP_LIMITS] = "Limits",   [GROUP_DELIVERY] = "Delivery",
        [GROUP_LOG] = "Log",       [GROUP_TOPICS] = "Topics",
    };
    return titles[group];
}
