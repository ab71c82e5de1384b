/* Addresses and networks; see address.h. */
#include "config/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "fanfare/error.h"

static int parse_number(struct slice text, unsigned max, unsigned *out)
{
    if (text.len == 0 || text.len > 5)
        return FAN_E_PARSE;
    unsigned n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return FAN_E_PARSE;
        n = n * 10 + (unsigned)(text.ptr[i] - '0');
    }
    *out = n;
    return n <= max ? 0 : FAN_E_PARSE;
}

static int copy_text(struct slice text, char *out, size_t size)
{
    if (text.len == 0 || text.len >= size || memchr(text.ptr, '\0', text.len))
        return FAN_E_PARSE;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return 0;
}

static bool is_ipv6(struct slice text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    return copy_text(text, copy, sizeof copy) == 0 && inet_pton(AF_INET6, copy, &address) == 1;
}

static bool is_host(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
        if (!ok)
            return false;
    }
    return text.len > 0;
}

int address_parse(struct slice text, struct address *address)
{
    *address = (struct address){0};
    if (slice_starts(text, "unix:")) {
        address->unix_socket = true;
        return copy_text(slice_skip(text, 5), address->host,
                         sizeof((struct sockaddr_un *)0)->sun_path);
    }
    const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
    if (!colon)
        return FAN_E_PARSE;
    struct slice host = slice_of(text.ptr, (size_t)(colon - text.ptr));
    unsigned port;
    if (parse_number(slice_skip(text, host.len + 1), 65535, &port))
        return FAN_E_PARSE;
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = slice_of(host.ptr + 1, host.len - 2);
        if (!is_ipv6(host))
            return FAN_E_PARSE;
    } else if (!is_host(host)) {
        return FAN_E_PARSE;
    }
    address->port = (uint16_t)port;
    return copy_text(host, address->host, sizeof address->host);
}

int network_address_parse(struct slice text, struct in6_addr *address)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (copy_text(text, copy, sizeof copy))
        return FAN_E_PARSE;
    if (inet_pton(AF_INET6, copy, address) == 1)
        return 0;
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return FAN_E_PARSE;
    *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(address->s6_addr + 12, &v4, 4);
    return 0;
}

/* Whether a and b agree in their first `bits` bits. */
static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
    if (memcmp(a->s6_addr, b->s6_addr, bits / 8) != 0)
        return false;
    if (bits % 8 == 0)
        return true;
    unsigned mask = 0xffu << (8 - bits % 8) & 0xffu;
    return ((a->s6_addr[bits / 8] ^ b->s6_addr[bits / 8]) & mask) == 0;
}

static bool ends_in_zeros(const struct in6_addr *address, unsigned from_bit)
{
    for (unsigned bit = from_bit; bit < 128; bit++)
        if (address->s6_addr[bit / 8] & 0x80u >> bit % 8)
            return false;
    return true;
}

int network_parse(struct slice text, struct network *network)
{
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    struct slice address = slice_of(text.ptr, slash ? (size_t)(slash - text.ptr) : text.len);
    if (network_address_parse(address, &network->address))
        return FAN_E_PARSE;
    network->prefix = 128;
    if (!slash)
        return 0;
    bool v4 = !memchr(address.ptr, ':', address.len);
    unsigned bits;
    if (parse_number(slice_skip(text, address.len + 1), v4 ? 32 : 128, &bits))
        return FAN_E_PARSE;
    network->prefix = v4 ? 96 + bits : bits;
    return ends_in_zeros(&network->address, network->prefix) ? 0 : FAN_E_PARSE;
}

bool network_contains(const struct network *network, const struct in6_addr *address)
{
    return same_prefix(&network->address, address, network->prefix);
}
