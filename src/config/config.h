/*
 * The configuration of a server: what flags, environment, YAML file and defaults come to.
 *
 * Everything is declared once, in options.c; this structure is only where the values end up. It
 * is immutable after config_load and may be read from any thread. Strings are never NULL: ""
 * means "not set". Durations are milliseconds, sizes are bytes.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct config_list {
    char **items;
    size_t count;
};

enum config_synchronous { CONFIG_SYNC_FULL, CONFIG_SYNC_NORMAL, CONFIG_SYNC_OFF };
enum config_engine { CONFIG_ENGINE_MEMORY, CONFIG_ENGINE_SQLITE, CONFIG_ENGINE_REDIS };
enum config_access { CONFIG_ACCESS_REFERENCE, CONFIG_ACCESS_STRICT };
enum config_flush { CONFIG_FLUSH_AUTO, CONFIG_FLUSH_URING, CONFIG_FLUSH_SEND };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };

/* What happens when a slow reader's event queue overflows. */
enum config_slow { CONFIG_SLOW_CATCH_UP, CONFIG_SLOW_LATEST, CONFIG_SLOW_DISCONNECT };

enum config_kind {
    CONFIG_SESSION,
    CONFIG_PROJECT,
    CONFIG_AGENT,
    CONFIG_GLOBAL,
    CONFIG_USER,
    CONFIG_CHANNEL,
    CONFIG_KINDS
};

/* What is kept of a topic of one kind. */
struct config_topic {
    bool durable;
    uint64_t count;  /* events; at least 1 */
    uint64_t age_ms; /* 0: no limit */
    uint64_t bytes;  /* 0: no limit of its own, only memory.limit */
    enum config_slow slow;
    uint64_t idle_ms; /* an idle topic's memory is freed after this */
};

struct config {
    struct config_list listen;      /* HOST:PORT, [v6]:PORT, unix:PATH; see address.h */
    struct config_list public_urls; /* scheme://host[:port], no slash at the end */
    char *base_path;                /* "" or "/x", no slash at the end */
    uint64_t workers;               /* at least 1: the default is resolved to the cores here */
    uint64_t open_files;            /* wanted RLIMIT_NOFILE; 0: as many as the hard limit */
    uint64_t drain_ms;
    enum config_flush flush;
    bool demo;

    char *data;      /* directory */
    bool data_given; /* by somebody, not by default */
    enum config_engine engine;
    enum config_synchronous store_synchronous;
    char *redis_url;
    uint64_t memory_limit;
    struct config_topic topics[CONFIG_KINDS];
    struct config_list latest_channels; /* channel names whose slow policy is `latest` */

    struct config_list watch; /* PATH or PATH=SESSION; see config_watch_split */
    char *watch_directory;
    char *session; /* of watched directories that name none; "": the directory's name */

    bool insecure;
    struct config_list cors_origins;
    struct config_list trusted_proxies; /* addresses and networks; see address.h */
    char *tls_cert, *tls_key;           /* PEM files; both or none */
    struct {
        char *key;
        char *public_key, *jwks; /* files */
        char *algorithm;         /* names with commas between; "": what the keys are for */
        char *issuer, *audience;
        uint64_t grace_ms; /* for a fresh token when one has expired */
    } jwt;
    struct {
        enum config_access initial;            /* what may be read without a claim `rooms` */
        struct config_list anonymous, publish; /* topic patterns */
        bool execute, ai;
    } access;
    bool metrics_public;
    char *github_webhook_secret; /* "": no webhooks */

    struct {
        uint64_t messages;    /* of a client, per second and connection */
        uint64_t burst;       /* at least `messages` */
        uint64_t connections; /* 0: what the open files allow */
        uint64_t connections_per_address;
        uint64_t subscriptions; /* per connection */
        uint64_t handshake_ms;
        uint64_t message_size;
        uint64_t queue;   /* of events, per connection */
        uint64_t publish; /* events per second and token; 0: no limit */
    } limits;

    uint64_t ping_interval_ms;
    struct {
        uint64_t ping_interval_ms, ping_timeout_ms, connect_timeout_ms;
        uint64_t max_payload; /* bytes */
        uint64_t recovery_window_ms;
        struct config_list namespaces, without_recovery;
    } rooms;
    struct {
        bool build, ide, channels, rooms;
        uint64_t threshold;
        uint64_t level;
    } deflate;

    struct {
        unsigned level; /* enum log_level */
        enum config_log_format format;
        char *file; /* "": stderr */
    } log;

    struct config_loading *loading; /* where each value came from; private to src/config */
};

/*
 * Reads the configuration. args are the options only ("--listen", "127.0.0.1:9000"), without the
 * program's or a command's name. Flags win over the environment, that over the YAML file (--config,
 * FANFARE_CONFIG, else fanfare.yaml in the working directory when there is one), that over
 * defaults.
 *
 * Returns 0 and a configuration to free with config_free. Otherwise *config is NULL and `problems`
 * has one line per problem, each naming its place ("fanfare.yaml:3: …", "FANFARE_WORKERS: …",
 * "--workers: …"): FAN_E_INVALID for wrong flags, FAN_E_PARSE for values that do not fit in the
 * file or the environment, FAN_E_NOT_FOUND and FAN_E_IO for a file that cannot be read.
 */
int config_load(struct config **config, int arg_count, char *const *args, struct buf *problems);

/* An option given by the program itself: its key, as in a file, and its value. */
struct config_pair {
    const char *name;
    const char *value;
};

/*
 * The same from pairs alone: neither flags nor environment nor a file are looked at. A list has a
 * pair for each item; secrets are accepted. Returns 0; or FAN_E_INVALID, *config NULL and a line in
 * `problems` for each mistake ("limits.queue: expected …"). Such a configuration is not reloaded.
 */
int config_from_pairs(struct config **config, const struct config_pair *pairs, size_t count,
                      struct buf *problems);

/* NULL is allowed. */
void config_free(struct config *config);

/*
 * Loads again with the same flags. On success *fresh has the new values of what can be reloaded
 * and the old values of the rest, so that it can simply take the old one's place; `kept` gets a
 * line "KEY cannot be changed while the server runs" for each changed key of the rest. Errors as
 * config_load, the old configuration stays good.
 */
int config_reload(const struct config *old, struct config **fresh, struct buf *kept,
                  struct buf *problems);

/* Whether this build can do what the configuration asks for (engines). FAN_E_UNSUPPORTED with
 * the reason and a remedy in `why`. */
int config_supported(const struct config *config, struct buf *why);

/* The file that was read; "" when there was none. */
const char *config_file(const struct config *config);

/* Splits an item of `watch` at its last '=': "PATH=SESSION". The session is empty when the item
 * names none. Both slices lie in the item. */
void config_watch_split(const char *item, struct slice *path, struct slice *session);

/* Appends the session of a watched directory that names none: the directory's own name, with '-'
 * for what an identifier cannot have. Looks at the file system to resolve "." and links. */
void config_session_of_directory(const char *path, struct buf *session);

/* The name of a topic kind: "session". */
const char *config_kind_name(enum config_kind kind);

#endif
