/* Peers; see peer.h. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#include "base/map.h"
#include "base/memory.h"
#include "fanfare/error.h"

struct peer_table {
    pthread_mutex_t lock;
    struct map peers;
};

static struct slice peer_key(const void *object)
{
    return slice_from(((const struct peer *)object)->text);
}

struct peer_table *peer_table_new(void)
{
    struct peer_table *t = memory_zero(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    map_init(&t->peers, peer_key);
    return t;
}

void peer_table_free(struct peer_table *t)
{
    if (!t)
        return;
    map_fini(&t->peers);
    pthread_mutex_destroy(&t->lock);
    memory_free(t);
}

/* inet_ntop is built on sprintf, and this happens for each connection. */
static void format_v4(const unsigned char *bytes, char *out)
{
    for (int i = 0; i < 4; i++) {
        unsigned n = bytes[i];
        if (n >= 100)
            *out++ = (char)('0' + n / 100);
        if (n >= 10)
            *out++ = (char)('0' + n / 10 % 10);
        *out++ = (char)('0' + n % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

void peer_format(const struct sockaddr_storage *address, char out[PEER_TEXT_SIZE])
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (address->ss_family == AF_INET)
        format_v4((const unsigned char *)&v4->sin_addr, out);
    else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        format_v4(v6->sin6_addr.s6_addr + 12, out);
    else if (address->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, out, PEER_TEXT_SIZE);
    else
        snprintf(out, PEER_TEXT_SIZE, "unix");
}

static bool parse(struct slice text, int family, void *out)
{
    char copy[PEER_TEXT_SIZE];
    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, out) == 1;
}

bool peer_is_address(struct slice text)
{
    unsigned char bytes[16];
    return parse(text, AF_INET, bytes) || parse(text, AF_INET6, bytes);
}

bool peer_is_loopback(struct slice text)
{
    unsigned char v4[4];
    struct in6_addr v6;
    if (parse(text, AF_INET, v4))
        return v4[0] == 127;
    return parse(text, AF_INET6, &v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

static struct peer *make_peer(struct slice address)
{
    struct peer *p = memory_try_alloc(sizeof *p);
    if (!p)
        return NULL;
    *p = (struct peer){.local = slice_is(address, "unix") || peer_is_loopback(address)};
    memcpy(p->text, address.ptr, address.len < PEER_TEXT_SIZE ? address.len : PEER_TEXT_SIZE - 1);
    return p;
}

/* A peer without connections is not in the table. */
static void drop_peer(struct peer_table *t, struct peer *p)
{
    map_remove(&t->peers, peer_key(p));
    memory_free(p);
}

static struct peer *find_or_add(struct peer_table *t, struct slice address)
{
    struct peer *p = map_get(&t->peers, address);
    if (p)
        return p;
    p = make_peer(address);
    if (p && map_try_put(&t->peers, p) != 0) {
        memory_free(p);
        return NULL;
    }
    return p;
}

int peer_take(struct peer_table *t, struct slice address, bool exempt, uint32_t limit,
              struct peer **out)
{
    int error = 0;
    pthread_mutex_lock(&t->lock);
    struct peer *p = find_or_add(t, address);
    if (!p)
        error = FAN_E_NO_MEMORY;
    else if (!p->local && !exempt && p->connections >= limit)
        error = FAN_E_LIMIT;
    else
        p->connections++;
    if (p && p->connections == 0)
        drop_peer(t, p);
    pthread_mutex_unlock(&t->lock);
    *out = error ? NULL : p;
    return error;
}

void peer_release(struct peer_table *t, struct peer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&t->lock);
    if (--p->connections == 0)
        drop_peer(t, p);
    pthread_mutex_unlock(&t->lock);
}
