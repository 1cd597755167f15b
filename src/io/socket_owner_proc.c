/* /proc/net/tcp, tcp6, udp, udp6: a line a socket. Addresses are 32-bit words as in memory. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"
#include "base/span.h"
#include "io/socket_owner_internal.h"

enum { FIELD_OWN = 1, FIELD_OTHER = 2, FIELD_UID = 7, FIELD_INODE = 9, N_FIELDS = 10 };

/* "0100007F:1F90", or 32 digits in front of the colon. */
static int parse_endpoint(struct span text, unsigned char ip[16], uint16_t *ret_port)
{
    ptrdiff_t colon = span_find(text, ':');
    uint64_t port, word;
    if (colon != 8 && colon != 32)
        return -EINVAL;
    size_t n = (size_t)colon / 8;
    memset(ip, 0, 10);
    memset(ip + 10, 0xff, 2);
    for (size_t i = 0; i < n; i++) {
        if (num_parse_hex(span_sub(text, i * 8, i * 8 + 8), UINT32_MAX, &word) < 0)
            return -EINVAL;
        uint32_t w = (uint32_t)word;
        memcpy(ip + 16 - 4 * n + 4 * i, &w, 4);
    }
    if (num_parse_hex(span_sub(text, (size_t)colon + 1, text.len), UINT16_MAX, &port) < 0)
        return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

static int parse_line(struct span line, struct socket_found *ret)
{
    struct span fields[N_FIELDS], piece;
    struct socket_found f = {0};
    uint64_t uid;
    size_t n = 0;
    while (n < N_FIELDS && span_split(&line, ' ', &piece))
        if (piece.len > 0)
            fields[n++] = piece;
    if (n < N_FIELDS || parse_endpoint(fields[FIELD_OWN], f.own, &f.own_port) < 0 ||
        parse_endpoint(fields[FIELD_OTHER], f.other, &f.other_port) < 0 ||
        num_parse(fields[FIELD_UID], 0, UINT32_MAX, &uid) < 0 ||
        num_parse(fields[FIELD_INODE], 0, UINT64_MAX, &f.inode) < 0)
        return -EINVAL;
    f.uid = (uid_t)uid;
    *ret = f;
    return 0;
}

static int read_table(const char *path, const struct socket_query *q, struct socket_verdict *v)
{
    char line[512];
    struct socket_found f;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (fgets(line, sizeof(line), file))
        if (parse_line(span_of(line), &f) == 0)
            socket_verdict_add(v, q, &f);
    fclose(file);
    return 0;
}

int socket_owner_by_proc(const struct socket_query *q, struct socket_verdict *v)
{
    bool tcp = q->protocol == IPPROTO_TCP;
    int r = read_table(tcp ? "/proc/net/tcp" : "/proc/net/udp", q, v);
    if (r < 0)
        return r;
    /* Not there without IPv6. */
    r = read_table(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", q, v);
    return r == -ENOENT ? 0 : r;
}
