/* Naming connections, and their lines in the log; see conn_log.h. */
#include "net/conn_log.h"

#include <stdatomic.h>
#include <string.h>

#include "base/random.h"
#include "net/login.h"
#include "net/peer.h"

static uint64_t id_key(void)
{
    static atomic_uint_least64_t key;
    uint64_t k = atomic_load(&key), fresh = 0;
    while (k == 0) {
        fresh = random_u64() | 1;
        if (atomic_compare_exchange_strong(&key, &k, fresh))
            k = fresh;
    }
    return k;
}

/* Ids are derived, not stored: a bijection (so they are unique) of the connection's number, keyed
 * per process (so that nobody can tell who connected before or after). */
void conn_format_id(const struct conn *c, char out[CONN_ID_SIZE])
{
    uint64_t x = c->id ^ id_key();
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    memcpy(out, "conn-", 5);
    for (int i = 0; i < 16; i++)
        out[5 + i] = "0123456789abcdef"[x >> (60 - 4 * i) & 15];
    out[21] = '\0';
}

void conn_log(const struct conn *c, const char *what, const char *dialect, struct log_field more)
{
    char id[CONN_ID_SIZE];
    const struct principal *who = login_principal(c);
    if (!log_enabled(LOG_INFO))
        return;
    conn_format_id(c, id);
    log_info("websocket", what, LOG_TEXT("dialect", dialect), LOG_TEXT("address", c->peer->text),
             LOG_TEXT("user", who ? who->name : "anonymous"), LOG_TEXT("connection", id), more);
}
