/* Addresses to listen on, and networks of addresses. No I/O, any thread. */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define ADDRESS_HOST_SIZE 256

struct address {
    bool unix_socket;
    char host[ADDRESS_HOST_SIZE]; /* without brackets; the path when unix_socket */
    uint16_t port;                /* 0: any free one */
};

/* Reads HOST:PORT, [v6]:PORT, or unix:PATH (a path that fits sockaddr_un). FAN_E_PARSE. */
int address_parse(struct slice text, struct address *address);

/* A network in CIDR form; IPv4 is kept as its mapped IPv6 form (RFC 4291, 2.5.5.2). */
struct network {
    struct in6_addr address;
    unsigned prefix; /* bits, 0–128 */
};

/* Reads an address ("10.0.0.1", "::1") or a network ("10.0.0.0/8"). FAN_E_PARSE, also when bits
 * right of the prefix are set: that is mostly a mistake. */
int network_parse(struct slice text, struct network *network);

/* Reads an IPv4 or IPv6 address, IPv4 as its mapped form. FAN_E_PARSE. */
int network_address_parse(struct slice text, struct in6_addr *address);

bool network_contains(const struct network *network, const struct in6_addr *address);

#endif
