/* Blobs with a checksum; see checked_blob.h. */
#include "engine/checked_blob.h"

#include <zlib.h>

#include "fanfare/error.h"

#define VERSION     2
#define WITHOUT_KEY 1 /* as the first version of the database had runs */

static void put_u64(unsigned char *bytes, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(n >> (56 - 8 * i));
}

static uint32_t checksum(unsigned version, struct checked_key key, struct slice content)
{
    unsigned char bytes[16];
    put_u64(bytes, (uint64_t)key.id);
    put_u64(bytes + 8, key.number);
    uLong crc = version == WITHOUT_KEY ? 0 : crc32_z(0, bytes, sizeof bytes);
    return (uint32_t)crc32_z(crc, (const unsigned char *)content.ptr, content.len);
}

void checked_blob_begin(struct buf *out)
{
    static const char header[CHECKED_BLOB_HEADER] = {VERSION};
    buf_clear(out);
    buf_append(out, header, sizeof header);
}

int checked_blob_end(struct buf *out, struct checked_key key)
{
    if (out->failed)
        return FAN_E_NO_MEMORY;
    uint32_t crc = checksum(VERSION, key, slice_skip(buf_slice(out), CHECKED_BLOB_HEADER));
    for (int i = 0; i < 4; i++)
        out->data[1 + i] = (char)(crc >> (24 - 8 * i));
    return 0;
}

int checked_blob_open(struct slice blob, struct checked_key key, struct slice *content)
{
    const unsigned char *data = (const unsigned char *)blob.ptr;
    if (blob.len < CHECKED_BLOB_HEADER || data[0] == 0)
        return FAN_E_PARSE;
    if (data[0] > VERSION)
        return FAN_E_UNSUPPORTED;
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++)
        crc = crc << 8 | data[1 + i];
    *content = slice_of(blob.ptr + CHECKED_BLOB_HEADER, blob.len - CHECKED_BLOB_HEADER);
    return crc == checksum(data[0], key, *content) ? 0 : FAN_E_PARSE;
}
