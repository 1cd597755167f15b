#include "agent/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "io/sock_diag.h"

enum {
    FILE_MAX_LEN = 16 << 20,
    READ_STEP = 65536,
    TCP_LISTEN_STATE = 0x0a, /* include/net/tcp_states.h */
    FIELD_LOCAL = 1,
    FIELD_STATE = 3,
    FIELD_UID = 7,
    FIELD_INODE = 9,
    FIELDS = 10,
};

static void set_address(struct listening_socket *s, int family, const void *bytes)
{
    static const unsigned char zeros[16];
    inet_ntop(family, bytes, s->address, sizeof(s->address));
    s->wildcard = memcmp(bytes, zeros, family == AF_INET ? 4 : 16) == 0;
}

/* ---- /proc ---- */

/* The next run of non-blank characters; false at the end of the line. */
static bool next_word(struct span *line, struct span *ret)
{
    size_t start = 0;
    while (start < line->len && line->p[start] == ' ')
        start++;
    size_t end = start;
    while (end < line->len && line->p[end] != ' ')
        end++;
    *ret = span_sub(*line, start, end);
    *line = span_sub(*line, end, line->len);
    return ret->len > 0;
}

/* "0100007F:1F90": the address in host order words, the port in hexadecimal. */
static int parse_local(struct span text, struct listening_socket *ret)
{
    ptrdiff_t colon = span_find(text, ':');
    if (colon != 8 && colon != 32)
        return -EINVAL;
    uint32_t words[4];
    size_t n_words = (size_t)colon / 8;
    for (size_t i = 0; i < n_words; i++) {
        uint64_t word = 0;
        if (num_parse_hex(span_sub(text, 8 * i, 8 * i + 8), UINT32_MAX, &word) < 0)
            return -EINVAL;
        words[i] = (uint32_t)word;
    }
    uint64_t port = 0;
    if (num_parse_hex(span_sub(text, (size_t)colon + 1, text.len), UINT16_MAX, &port) < 0)
        return -EINVAL;
    set_address(ret, n_words == 4 ? AF_INET6 : AF_INET, words);
    ret->port = (uint16_t)port;
    return 0;
}

static int parse_line(struct span line, struct listening_socket *ret)
{
    struct span words[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        if (!next_word(&line, &words[i]))
            return -EINVAL;
    uint64_t state = 0, uid = 0;
    if (num_parse_hex(words[FIELD_STATE], 0xff, &state) < 0 || state != TCP_LISTEN_STATE ||
        num_parse(words[FIELD_UID], 0, UINT32_MAX, &uid) < 0 ||
        num_parse(words[FIELD_INODE], 0, UINT64_MAX, &ret->inode) < 0)
        return -EINVAL;
    ret->uid = (uid_t)uid;
    ret->key = ret->inode;
    return parse_local(words[FIELD_LOCAL], ret);
}

bool listening_next(struct span *rest, struct listening_socket *ret)
{
    struct span line;
    while (span_split(rest, '\n', &line)) {
        struct listening_socket found = {.backlog = -1};
        if (parse_line(line, &found) == 0 && found.port != 0) {
            *ret = found;
            return true;
        }
    }
    return false;
}

static int each_of_file(const char *path, listening_fn *each, void *ud)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(FILE_MAX_LEN);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        void *room = buf_reserve(&text, READ_STEP);
        ssize_t n = room ? read(fd, room, READ_STEP) : 0;
        if (n <= 0)
            break;
        buf_commit(&text, (size_t)n);
    }
    struct span rest = span_from(buf_data(&text), text.len);
    struct listening_socket found;
    while (listening_next(&rest, &found))
        each(&found, ud);
    return 0;
}

/* ---- sock_diag ---- */

struct asker {
    listening_fn *each;
    void *ud;
};

static void take_socket(const struct inet_diag_msg *m, size_t len, void *ud)
{
    const struct asker *asker = ud;
    struct listening_socket s = {
        .key = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
        .inode = m->idiag_inode,
        .port = ntohs(m->id.idiag_sport),
        .uid = m->idiag_uid,
        .backlog = m->idiag_wqueue < INT_MAX ? (int)m->idiag_wqueue : INT_MAX,
    };
    if (s.port == 0)
        return;
    set_address(&s, m->idiag_family, m->id.idiag_src);
    asker->each(&s, asker->ud);
}

static int each_of_family(int fd, int family, struct asker *asker)
{
    const struct inet_diag_req_v2 question = {
        .sdiag_family = (uint8_t)family,
        .sdiag_protocol = IPPROTO_TCP,
        .idiag_states = 1u << TCP_LISTEN_STATE,
    };
    return sock_diag_ask(fd, &question, true, (uint32_t)family, take_socket, asker);
}

static int each_by_sock_diag(listening_fn *each, void *ud)
{
    struct asker asker = {.each = each, .ud = ud};
    _cleanup_close_ int fd = sock_diag_open();
    if (fd < 0)
        return fd;
    int r = each_of_family(fd, AF_INET, &asker);
    if (r < 0)
        return r;
    each_of_family(fd, AF_INET6, &asker); /* -ENOENT: the kernel has no IPv6 */
    return 0;
}

int listening_each(listening_fn *each, void *ud)
{
    if (each_by_sock_diag(each, ud) == 0)
        return 0;
    int r = each_of_file("/proc/self/net/tcp", each, ud);
    if (r == 0)
        each_of_file("/proc/self/net/tcp6", each, ud);
    return r;
}
