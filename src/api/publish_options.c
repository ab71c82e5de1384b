/* Publishers' options; see publish_options.h. */
#include "api/publish_options.h"

#include "codec/http.h"
#include "fanfare/error.h"

static bool read_ack(struct http_exchange *x, enum ack_mode *ack)
{
    struct buf value = {0};
    int error = http_query_get(x->request->query, "ack", &value);
    bool ok = error == FAN_E_NOT_FOUND || ack_mode_parse(buf_slice(&value), ack);
    buf_fini(&value);
    if (!ok)
        http_reply_error(x, 400, "invalid_parameter",
                         "ack must be \"each\", \"batch\" or \"none\"");
    return ok;
}

static bool read_durability(struct http_exchange *x, bool *early)
{
    struct buf value = {0};
    int error = http_query_get(x->request->query, "durability", &value);
    *early = slice_is(buf_slice(&value), "memory");
    bool ok = error == FAN_E_NOT_FOUND || *early || slice_is(buf_slice(&value), "disk");
    buf_fini(&value);
    if (!ok)
        http_reply_error(x, 422, "invalid_parameter", "durability must be \"memory\" or \"disk\"");
    return ok;
}

bool publish_options_read(struct http_exchange *x, struct publish_options *options)
{
    return read_durability(x, &options->early) && read_ack(x, &options->ack);
}
