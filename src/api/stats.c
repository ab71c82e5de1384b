/* GET /api/v1/websocket/stats: how many are connected, and how much happens. */
#include "api/api.h"
#include "auth/permit.h"
#include "base/clock.h"
#include "codec/json_writer.h"

void api_tick(struct api *api)
{
    struct api_rate *rate = &api->rate;
    struct hub_stats stats;
    hub_stats(api->hub, &stats);
    uint64_t now = stats.published + stats.ephemeral;
    if (rate->filled) {
        unsigned first = rate->filled < API_RATE_SECONDS ? 0 : rate->at;
        uint64_t per = (now - rate->published[first]) * 1000 / rate->filled;
        atomic_store_explicit(&rate->per_1000s, per, memory_order_relaxed);
    }
    rate->published[rate->at] = now;
    rate->at = (rate->at + 1) % API_RATE_SECONDS;
    if (rate->filled < API_RATE_SECONDS)
        rate->filled++;
}

struct room_count {
    const struct identity *who; /* who asks */
    uint64_t rooms, subscriptions;
};

static bool count_room(void *arg, const struct topic_info *info)
{
    struct room_count *count = arg;
    if (info->subscribers && identity_may_read(count->who, info->name).allowed) {
        count->rooms++;
        count->subscriptions += info->subscribers;
    }
    return true;
}

void api_websocket_stats(struct api_request *r)
{
    struct api *api = r->api;
    struct room_count count = {.who = permit_identity(r->exchange)};
    struct buf out = {0}, dialects = {0};
    hub_each_topic(api->hub, count_room, &count);
    json_begin(&dialects, NULL, '{');
    uint64_t clients = api->host.clients(api->host.arg, &dialects);
    json_end(&dialects, '}');
    json_begin(&out, NULL, '{');
    json_put_u64(&out, "connections", clients);
    json_put_raw(&out, "dialects", buf_slice(&dialects));
    json_put_u64(&out, "rooms", count.rooms);
    json_put_u64(&out, "subscriptions", count.subscriptions);
    json_put_number(&out, "events_per_second",
                    (double)atomic_load_explicit(&api->rate.per_1000s, memory_order_relaxed) /
                        1000);
    json_put_u64(&out, "uptime", (clock_ms() - api->started_ms) / 1000);
    BUF_LITERAL(&out, "}\n");
    out.failed |= dialects.failed;
    buf_fini(&dialects);
    http_reply_json(r->exchange, 200, &out);
}
