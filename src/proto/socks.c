/*
 * SOCKS4 is one message; SOCKS5 is a greeting, then a request. Each message is read whole through
 * a wire_reader over what has come: a reader that failed while fewer bytes than the longest message
 * are there means "more", because all lengths are bounded.
 */
#include "proto/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/wire.h"

enum {
    VERSION4 = 4,
    VERSION5 = 5,
    NO_AUTHENTICATION = 0,
    NO_METHOD = 0xff,
    ATYP_IPV4 = 1,
    ATYP_NAME = 3,
    ATYP_IPV6 = 4,
    REP_OK = 0,
    REP_FAILURE = 1,
    REP_NOT_ALLOWED = 2,
    REP_HOST_UNREACHABLE = 4,
    REP_REFUSED = 5,
    REP_COMMAND = 7,
    REP_ATYP = 8,
    REP4_GRANTED = 90,
    REP4_REJECTED = 91,
    USER_ID_MAX = 255,
};

enum proxy_protocol proxy_protocol_of(unsigned char c)
{
    if (c == VERSION4)
        return PROXY_SOCKS4;
    if (c == VERSION5)
        return PROXY_SOCKS5;
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ? PROXY_HTTP : PROXY_UNKNOWN;
}

void socks_init(struct socks *s)
{
    *s = (struct socks){.state = SOCKS_ST_START};
}

/* The address field of a reply or datagram; any host that is not an address is a name. */
static void write_address(struct wire_writer *w, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1) {
        wire_write_u8(w, ATYP_IPV4);
        wire_write_bytes(w, address, 4);
    } else if (inet_pton(AF_INET6, host, address) == 1) {
        wire_write_u8(w, ATYP_IPV6);
        wire_write_bytes(w, address, 16);
    } else {
        wire_write_u8(w, ATYP_NAME);
        wire_write_u8(w, (uint8_t)strlen(host));
        wire_write_bytes(w, host, strlen(host));
    }
}

static int append_reply5(struct buf *reply, int rep, const char *bound, uint16_t port)
{
    unsigned char out[SOCKS_REPLY_MAX];
    unsigned char address[16];
    struct wire_writer w = wire_writer_of(out, sizeof(out));
    bool known = bound && (inet_pton(AF_INET, bound, address) == 1 ||
                           inet_pton(AF_INET6, bound, address) == 1);
    wire_write_u8(&w, VERSION5);
    wire_write_u8(&w, (uint8_t)rep);
    wire_write_u8(&w, 0);
    write_address(&w, known ? bound : "0.0.0.0");
    wire_write_u16(&w, known ? port : 0);
    return buf_append(reply, out, w.len);
}

static int append_reply4(struct buf *reply, int rep, const char *bound, uint16_t port)
{
    unsigned char out[8] = {0, (unsigned char)rep};
    if (bound && inet_pton(AF_INET, bound, out + 4) == 1) {
        out[2] = (unsigned char)(port >> 8);
        out[3] = (unsigned char)port;
    }
    return buf_append(reply, out, sizeof(out));
}

static int refuse(struct socks *s, struct buf *reply, int rep)
{
    s->state = SOCKS_ST_FAILED;
    if (s->version == VERSION4)
        append_reply4(reply, REP4_REJECTED, NULL, 0);
    else
        append_reply5(reply, rep, NULL, 0);
    return -EPROTO;
}

static int finish(struct socks *s, struct buf *reply, enum socks_command command, struct span host,
                  uint16_t port)
{
    if (host_normalize(host, s->host) < 0)
        return refuse(s, reply, REP_HOST_UNREACHABLE);
    if (port == 0 && command == SOCKS_CONNECT)
        return refuse(s, reply, REP_FAILURE);
    s->command = command;
    s->port = port;
    s->state = SOCKS_ST_DONE;
    return 1;
}

/* Bytes up to a NUL, which is taken too. 1: there; 0: more are needed; -EPROTO: too many. */
static int read_c_string(struct wire_reader *r, size_t max, struct span *ret)
{
    ptrdiff_t end = span_find(span_from(r->p, r->left), '\0');
    if (end < 0)
        return r->left > max ? -EPROTO : 0;
    if ((size_t)end > max)
        return -EPROTO;
    *ret = wire_read_bytes(r, (size_t)end);
    wire_read_u8(r);
    return 1;
}

static int feed4(struct socks *s, const void *data, size_t len, size_t *ret_used, struct buf *reply)
{
    struct wire_reader r = wire_reader_of(data, len);
    struct span user, host;
    char text[INET_ADDRSTRLEN];
    wire_read_u8(&r);
    uint8_t command = wire_read_u8(&r);
    uint16_t port = wire_read_u16(&r);
    struct span address = wire_read_bytes(&r, 4);
    if (r.failed)
        return 0;
    int got = read_c_string(&r, USER_ID_MAX, &user);
    /* SOCKS4a: 0.0.0.x, x not 0, says that a name follows. */
    bool has_name = memcmp(address.p, "\0\0\0", 3) == 0 && address.p[3] != 0;
    if (has_name && got == 1) {
        got = read_c_string(&r, HOST_SIZE - 1, &host);
    } else if (!has_name) {
        inet_ntop(AF_INET, address.p, text, sizeof(text));
        host = span_of(text);
    }
    if (got == 0)
        return 0;
    *ret_used = len - r.left;
    if (got < 0 || command != SOCKS_CONNECT)
        return refuse(s, reply, REP_COMMAND);
    return finish(s, reply, SOCKS_CONNECT, host, port);
}

static int feed5_greeting(struct socks *s, const void *data, size_t len, size_t *ret_used,
                          struct buf *reply)
{
    struct wire_reader r = wire_reader_of(data, len);
    wire_read_u8(&r);
    struct span methods = wire_read_bytes(&r, wire_read_u8(&r));
    if (r.failed)
        return 0;
    *ret_used = len - r.left;
    bool usable = span_find(methods, NO_AUTHENTICATION) >= 0;
    unsigned char answer[] = {VERSION5, usable ? NO_AUTHENTICATION : NO_METHOD};
    int full = buf_append(reply, answer, sizeof(answer));
    s->state = usable && full == 0 ? SOCKS_ST_REQUEST : SOCKS_ST_FAILED;
    return s->state == SOCKS_ST_REQUEST ? 0 : -EPROTO;
}

/* Reads ATYP and address. False: the type is not known. On a failed reader: nothing is known. */
static bool read_address(struct wire_reader *r, char text[static HOST_SIZE], struct span *ret_host)
{
    uint8_t type = wire_read_u8(r);
    if (type == ATYP_NAME) {
        *ret_host = wire_read_bytes(r, wire_read_u8(r));
    } else if (type == ATYP_IPV4 || type == ATYP_IPV6) {
        struct span address = wire_read_bytes(r, type == ATYP_IPV4 ? 4 : 16);
        if (!r->failed)
            inet_ntop(type == ATYP_IPV4 ? AF_INET : AF_INET6, address.p, text, HOST_SIZE);
        *ret_host = r->failed ? SPAN_NULL : span_of(text);
    } else {
        return r->failed;
    }
    return true;
}

static int feed5_request(struct socks *s, const void *data, size_t len, size_t *ret_used,
                         struct buf *reply)
{
    struct wire_reader r = wire_reader_of(data, len);
    struct span host = SPAN_NULL;
    char text[HOST_SIZE];
    if (len > 0 && wire_read_u8(&r) != VERSION5)
        return refuse(s, reply, REP_FAILURE);
    uint8_t command = wire_read_u8(&r);
    wire_read_u8(&r);
    if (!read_address(&r, text, &host)) {
        *ret_used = len;
        return refuse(s, reply, REP_ATYP);
    }
    uint16_t port = wire_read_u16(&r);
    if (len == 0 || r.failed)
        return 0;
    *ret_used = len - r.left;
    if (command != SOCKS_CONNECT && command != SOCKS_UDP_ASSOCIATE)
        return refuse(s, reply, REP_COMMAND);
    return finish(s, reply, (enum socks_command)command, host, port);
}

static int feed_start(struct socks *s, const void *data, size_t len, size_t *ret_used,
                      struct buf *reply)
{
    if (len == 0)
        return 0;
    s->version = *(const unsigned char *)data;
    if (s->version == VERSION4)
        return feed4(s, data, len, ret_used, reply);
    if (s->version == VERSION5)
        return feed5_greeting(s, data, len, ret_used, reply);
    s->state = SOCKS_ST_FAILED;
    return -EPROTO;
}

int socks_feed(struct socks *s, const void *data, size_t len, size_t *ret_used, struct buf *reply)
{
    size_t used = 0;
    int r = -EPROTO;
    *ret_used = 0;
    if (s->state == SOCKS_ST_START) {
        r = feed_start(s, data, len, &used, reply);
        *ret_used = used;
    }
    if (s->state == SOCKS_ST_REQUEST) {
        used = 0;
        r = feed5_request(s, (const char *)data + *ret_used, len - *ret_used, &used, reply);
        *ret_used += used;
    }
    return r;
}

static int reply_code(enum dial_result result)
{
    switch (result) {
    case DIAL_OK:
        return REP_OK;
    case DIAL_REFUSED:
    case DIAL_CLOSED:
        return REP_REFUSED;
    case DIAL_TIMEOUT:
    case DIAL_NAME_NOT_FOUND:
    case DIAL_NAME_FAILED:
    case DIAL_UNREACHABLE:
    case DIAL_UNAVAILABLE:
        return REP_HOST_UNREACHABLE;
    case DIAL_FORBIDDEN:
    case DIAL_NOT_PERMITTED:
        return REP_NOT_ALLOWED;
    case DIAL_UNSUPPORTED:
        return REP_COMMAND;
    default:
        return REP_FAILURE;
    }
}

int socks_reply(const struct socks *s, enum dial_result result, const char *bound, uint16_t port,
                struct buf *reply)
{
    if (s->version == VERSION4)
        return append_reply4(reply, result == DIAL_OK ? REP4_GRANTED : REP4_REJECTED, bound, port);
    return append_reply5(reply, reply_code(result), bound, port);
}

int socks_datagram_parse(const void *data, size_t len, struct socks_datagram *ret)
{
    struct wire_reader r = wire_reader_of(data, len);
    struct socks_datagram d;
    char text[HOST_SIZE];
    struct span host = SPAN_NULL;
    uint16_t reserved = wire_read_u16(&r);
    uint8_t fragment = wire_read_u8(&r);
    bool known = read_address(&r, text, &host);
    d.port = wire_read_u16(&r);
    if (r.failed || !known || reserved != 0 || fragment != 0 || d.port == 0 ||
        host_normalize(host, d.host) < 0)
        return -EINVAL;
    d.payload = wire_read_bytes(&r, r.left);
    *ret = d;
    return 0;
}

ssize_t socks_datagram_header(const char *host, uint16_t port,
                              unsigned char dst[static SOCKS_HEADER_MAX])
{
    if (host_kind_of(span_of(host)) == HOST_INVALID)
        return -EINVAL;
    struct wire_writer w = wire_writer_of(dst, SOCKS_HEADER_MAX);
    wire_write_u16(&w, 0);
    wire_write_u8(&w, 0);
    write_address(&w, host);
    wire_write_u16(&w, port);
    return w.failed ? -EINVAL : (ssize_t)w.len;
}
