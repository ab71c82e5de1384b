/*
 * Origin, host and forwarding checks; see access.h.
 *
 * Without a key the server belongs to the programs of this machine. Browsers run other people's
 * code on this machine, so they are held to their Origin (RFC 6454); and because a foreign name
 * can be made to resolve to 127.0.0.1 (DNS rebinding), to the Host they think they talk to. With a
 * key it may be reached from anywhere, through proxies too, and this machine is nothing special.
 */
#include "auth/access.h"

#include <stdio.h>

#include "base/glob.h"
#include "base/memory.h"

struct list_of_text {
    char **items;
    size_t count;
};

struct access_rules {
    bool keyed, insecure;
    bool any_host;               /* there is a key, and the server does not know its names */
    struct list_of_text origins; /* own, without patterns */
    struct list_of_text hosts;   /* host[:port] of public_url and what is bound */
    struct list_of_text cors;
};

static void add(struct list_of_text *list, struct slice text)
{
    list->items = memory_realloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = memory_copy_string(text);
}

static void free_list(struct list_of_text *list)
{
    for (size_t i = 0; i < list->count; i++)
        memory_free(list->items[i]);
    memory_free(list->items);
}

static void add_own_url(struct access_rules *r, struct slice url)
{
    const char *scheme_end = url.len ? strstr(url.ptr, "://") : NULL;
    add(&r->origins, url);
    if (scheme_end)
        add(&r->hosts, slice_skip(url, (size_t)(scheme_end - url.ptr) + 3));
}

/* host, or host:PORT with any port. */
static bool is_host(struct slice text, const char *host)
{
    size_t n = strlen(host);
    if (text.len < n || strncasecmp(text.ptr, host, n) != 0)
        return false;
    struct slice port = slice_skip(text, n);
    if (port.len == 0)
        return true;
    if (port.ptr[0] != ':' || port.len < 2)
        return false;
    for (size_t i = 1; i < port.len; i++)
        if (port.ptr[i] < '0' || port.ptr[i] > '9')
            return false;
    return true;
}

static bool is_this_machine(struct slice host)
{
    return is_host(host, "localhost") || is_host(host, "127.0.0.1") || is_host(host, "[::1]");
}

struct access_rules *access_rules_new(const struct access_options *options)
{
    struct access_rules *r = memory_zero(sizeof *r);
    r->keyed = options->keyed;
    r->insecure = options->insecure;
    r->any_host = options->keyed && options->own_url_count == 0;
    for (size_t i = 0; i < options->own_url_count; i++)
        add_own_url(r, slice_from(options->own_urls[i]));
    for (size_t i = 0; i < options->bound_count; i++) {
        char origin[300];
        add(&r->hosts, slice_from(options->bound[i]));
        snprintf(origin, sizeof origin, "http://%s", options->bound[i]);
        add(&r->origins, slice_from(origin));
        snprintf(origin, sizeof origin, "https://%s", options->bound[i]);
        add(&r->origins, slice_from(origin));
        /* What is bound to loopback is also reached by its name. */
        const char *port = strrchr(options->bound[i], ':');
        if (port && is_this_machine(slice_from(options->bound[i]))) {
            snprintf(origin, sizeof origin, "https://localhost%s", port);
            add(&r->origins, slice_from(origin));
        }
    }
    for (size_t i = 0; i < options->cors_count; i++)
        add(&r->cors, slice_from(options->cors[i]));
    return r;
}

void access_rules_free(struct access_rules *r)
{
    if (!r)
        return;
    free_list(&r->origins);
    free_list(&r->hosts);
    free_list(&r->cors);
    memory_free(r);
}

bool access_pattern_match(struct slice pattern, struct slice text)
{
    /* Scheme and host are the same in small and capital letters (RFC 3986, 6.2.2.1). */
    return glob_match(pattern, text, (struct glob_rules){.any_case = true, .barrier = '/'});
}

static bool in_list(const struct list_of_text *list, struct slice text)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_is_nocase(text, list->items[i]))
            return true;
    return false;
}

static bool origin_is_own(const struct access_rules *r, struct slice origin)
{
    if (!r->keyed && slice_starts(origin, "http://")) {
        struct slice host = slice_skip(origin, strlen("http://"));
        if (is_host(host, "localhost") || is_host(host, "127.0.0.1"))
            return true;
    }
    if (in_list(&r->origins, origin))
        return true;
    for (size_t i = 0; i < r->cors.count; i++) {
        struct slice pattern = slice_from(r->cors.items[i]);
        /* Any page can make its origin `null`, so a pattern does not stand for it. */
        if (slice_is(origin, "null") ? slice_is(pattern, "null")
                                     : access_pattern_match(pattern, origin))
            return true;
    }
    return false;
}

static bool host_is_own(const struct access_rules *r, struct slice host)
{
    return is_this_machine(host) || in_list(&r->hosts, host);
}

static struct access_verdict refuse(const char *code, const char *message)
{
    return (struct access_verdict){.code = code, .message = message};
}

struct access_verdict access_judge(const struct access_rules *r,
                                   const struct access_request *request)
{
    struct access_verdict verdict = {.allowed = true};
    if (request->health)
        return verdict;
    if (request->forwarded && !r->keyed && !r->insecure)
        return refuse("forwarded", "the request came through a proxy (it has forwarding headers), "
                                   "which makes everybody look local; run with --insecure and "
                                   "trusted_proxies if that is wanted");
    if (!r->any_host && !host_is_own(r, request->host))
        return refuse("host", "this Host is not one of the server's names; if it is, add it with "
                              "--public-url");
    if (!request->origin.ptr)
        return verdict;
    /* Any site can make its origin `null`, but not a token. */
    verdict.cors =
        origin_is_own(r, request->origin) || (request->token && slice_is(request->origin, "null"));
    if (verdict.cors || !(request->handshake || request->changes))
        return verdict;
    if (slice_is(request->origin, "null"))
        return refuse("origin", "the origin is null (a page opened from a file, which any site can "
                                "imitate): send a valid token, or list \"null\" in cors_origins");
    return refuse("origin", "pages of this origin may not use the server; list it in cors_origins "
                            "(environment: CORS_ORIGINS) if they may");
}
