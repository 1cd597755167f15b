#pragma once
/* Socket addresses and their text. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    };
};

enum { ADDR_TEXT_LEN = 128 };

/* A numeric IPv4 or IPv6 address (no brackets, no name). 0 or -EINVAL. */
int addr_from_ip(const char *ip, uint16_t port, struct addr *ret);
/* A Unix socket path. 0 or -ENAMETOOLONG. */
int addr_from_path(const char *path, struct addr *ret);
/* Port of an IP address in host order; 0 otherwise. */
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
/* 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104; a Unix socket counts as loopback. */
bool addr_is_loopback(const struct addr *a);
bool addr_is_any(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* "127.0.0.1:80", "[::1]:80", "/run/x.sock". `dst` holds ADDR_TEXT_LEN bytes. */
char *addr_format(const struct addr *a, char dst[static ADDR_TEXT_LEN]);
/* Without port and brackets. */
char *addr_format_ip(const struct addr *a, char dst[static ADDR_TEXT_LEN]);
int addr_of_socket(int fd, struct addr *ret);
int addr_of_peer(int fd, struct addr *ret);
