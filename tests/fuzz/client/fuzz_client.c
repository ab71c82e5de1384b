/*
 * What a server sends to the client commands: an HTTP response whose body is a stream of events,
 * in pieces of the size that the first byte says; each event's data is read as an answer, too.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "client/answer.h"
#include "client/event_reader.h"
#include "client/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_event(void *arg, struct slice name, struct slice data)
{
    struct answer_error error;
    uint64_t published, failed;
    (void)arg, (void)name;
    if (answer_error_parse(data, &error))
        answer_error_fini(&error);
    (void)answer_batch_parse(data, &published, &failed);
    return 0;
}

static int on_body(void *arg, struct slice piece)
{
    return event_reader_feed(arg, piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct event_reader reader;
    struct response response;
    struct buf why = {0};
    size_t piece = data[0] ? data[0] : size, used, n;
    event_reader_init(&reader, 4096);
    reader.on_event = on_event;
    response_init(&response);
    response.on_body = on_body;
    response.arg = &reader;
    for (size_t at = 1; at < size; at += n) {
        n = size - at < piece ? size - at : piece;
        if (response_feed(&response, (const char *)data + at, n, &used))
            break;
        assert(used <= n);
    }
    response_finish(&response);
    response_append_error(&why, &response);
    assert(why.len > 0 || response.body.len > 0);
    buf_fini(&why);
    response_fini(&response);
    event_reader_fini(&reader);
    return 0;
}
