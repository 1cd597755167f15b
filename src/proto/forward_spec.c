/*
 * A spec is split at its colons (not those in brackets) into fields; their number and what each
 * looks like decide which form it is. Ranges are taken apart with wide integers: a 16-bit counter
 * would never pass 65535.
 */
#include "proto/forward_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/text.h"
#include "proto/host.h"

static const char default_host[] = "127.0.0.1";

enum {
    FIELDS_MAX = 4,
    FIELD_SIZE = 512,
    QUOTED_MAX = 200, /* bytes of a spec in an error's text */
};

/* One field of a spec, as text. */
struct field {
    char text[FIELD_SIZE];
    bool bracketed; /* it was in brackets */
    bool path;      /* it has a '/' */
};

struct range {
    unsigned first, count;
};

/* What one call of forward_set_add works on. */
struct parse {
    struct forward_set *set;
    enum forward_flag flag;
    struct span spec;
    struct err *err;
    struct field fields[FIELDS_MAX];
    size_t n_fields;
};

static const char *flag_name(enum forward_flag flag)
{
    static const char *const names[] = {
        [FORWARD_FLAG_TCP] = "--tcp", [FORWARD_FLAG_UDP] = "--udp", [FORWARD_FLAG_L] = "-L",
        [FORWARD_FLAG_R] = "-R",      [FORWARD_FLAG_D] = "-D",
    };
    return names[flag];
}

const char *forward_network_name(enum forward_network network)
{
    static const char *const names[] = {
        [FORWARD_NET_TCP] = "tcp", [FORWARD_NET_UDP] = "udp", [FORWARD_NET_UNIX] = "unix"};
    return names[network];
}

const char *forward_kind_name(enum forward_kind kind)
{
    static const char *const names[] = {
        [FORWARD_LOCAL] = "local",
        [FORWARD_REMOTE] = "remote",
        [FORWARD_DYNAMIC] = "dynamic",
        [FORWARD_REMOTE_DYNAMIC] = "remote-dynamic",
    };
    return names[kind];
}

static void forward_deinit(struct forward *f)
{
    free(f->bind);
    free(f->local_path);
    free(f->host);
    free(f->remote_path);
    *f = (struct forward){0};
}

static void truncate_set(struct forward_set *set, size_t len)
{
    while (set->len > len)
        forward_deinit(&set->items[--set->len]);
}

void forward_set_deinit(struct forward_set *set)
{
    truncate_set(set, 0);
    free(set->items);
    *set = (struct forward_set)FORWARD_SET_INIT;
}

/* The one way in which a spec is refused: flag, spec, reason. */
__attribute__((format(printf, 3, 4))) static int refuse(struct parse *p, int code, const char *fmt,
                                                        ...)
{
    struct err reason = ERR_INIT;
    va_list ap;
    va_start(ap, fmt);
    err_vset(&reason, code, fmt, ap);
    va_end(ap);
    bool cut = p->spec.len > QUOTED_MAX;
    return err_set(p->err, code, "%s \"%.*s%s\": %s", flag_name(p->flag),
                   cut ? QUOTED_MAX : (int)p->spec.len, p->spec.p, cut ? "..." : "", reason.text);
}

/* Sets of addresses that a listener covers, to find two on the same one. */
struct cover {
    bool any4, any6;
    char v4[HOST_SIZE], v6[HOST_SIZE]; /* one address each; empty: none */
};

static struct cover cover_of(const char *bind)
{
    struct cover c = {0};
    if (!bind || span_iis(span_of(bind), "localhost")) {
        str_copy(c.v4, sizeof(c.v4), "127.0.0.1");
        str_copy(c.v6, sizeof(c.v6), "::1");
        return c;
    }
    bool v6 = strchr(bind, ':') != NULL;
    c.any4 = str_eq(bind, "*") || str_eq(bind, "0.0.0.0");
    c.any6 = str_eq(bind, "*");
    char *address = v6 ? c.v6 : c.v4;
    if (host_normalize(span_of(bind), address) < 0)
        address[0] = '\0';
    if (v6 && str_eq(address, "::"))
        c.any6 = true;
    if (v6 && address[0] && !strchr(address, ':')) {
        /* IPv4-mapped: it is an address of the other family. */
        str_copy(c.v4, sizeof(c.v4), c.v6);
        c.v6[0] = '\0';
    }
    return c;
}

static bool covers_overlap(const struct cover *a, const struct cover *b)
{
    bool a4 = a->any4 || a->v4[0], b4 = b->any4 || b->v4[0];
    bool a6 = a->any6 || a->v6[0], b6 = b->any6 || b->v6[0];
    if (a4 && b4 && (a->any4 || b->any4 || str_eq(a->v4, b->v4)))
        return true;
    return a6 && b6 && (a->any6 || b->any6 || str_eq(a->v6, b->v6));
}

static bool listens_there(const struct forward *f)
{
    return f->kind == FORWARD_REMOTE || f->kind == FORWARD_REMOTE_DYNAMIC;
}

static bool same_listener(const struct forward *a, const struct forward *b)
{
    if (listens_there(a) != listens_there(b))
        return false;
    if (a->local_path || b->local_path)
        return str_eq(a->local_path, b->local_path);
    if (a->local_port != b->local_port || a->local_port == 0 ||
        (a->network == FORWARD_NET_UDP) != (b->network == FORWARD_NET_UDP))
        return false;
    struct cover ca = cover_of(a->bind), cb = cover_of(b->bind);
    return covers_overlap(&ca, &cb);
}

/* Adds one forward, whose strings are copied. */
static int add(struct parse *p, const struct forward *f)
{
    struct forward_set *set = p->set;
    if (set->len >= FORWARD_SET_MAX)
        return refuse(p, -E2BIG, "more than %d forwards in one command", FORWARD_SET_MAX);
    for (size_t i = 0; i < set->len; i++) {
        if (!same_listener(&set->items[i], f))
            continue;
        if (f->local_path)
            return refuse(p, -EEXIST, "the socket %s has a listener already", f->local_path);
        return refuse(p, -EEXIST, "port %u has a listener already", f->local_port);
    }
    if ((set->len & (set->len - 1)) == 0) {
        size_t cap = set->len ? set->len * 2 : 1;
        set->items = xrealloc(set->items, cap * sizeof(*set->items));
    }
    struct forward *copy = &set->items[set->len++];
    *copy = *f;
    copy->bind = f->bind ? xstrdup(f->bind) : NULL;
    copy->local_path = f->local_path ? xstrdup(f->local_path) : NULL;
    copy->host = f->host ? xstrdup(f->host) : NULL;
    copy->remote_path = f->remote_path ? xstrdup(f->remote_path) : NULL;
    return 0;
}

/* What was meant as a port or a range, whether right or wrong. */
static bool looks_like_ports(const struct field *f)
{
    return !f->bracketed && f->text[0] && f->text[strspn(f->text, "0123456789-")] == '\0';
}

static bool is_address(const struct field *f)
{
    if (f->bracketed)
        return true;
    return str_eq(f->text, "*") || span_iis(span_of(f->text), "localhost") ||
           host_kind_of(span_of(f->text)) == HOST_IPV4;
}

static int parse_port_text(struct parse *p, struct span text, bool allow_zero, unsigned *ret)
{
    uint16_t port = 0;
    int r = num_parse_port(text, allow_zero, &port);
    int shown = text.len < 60 ? (int)text.len : 60;
    if (text.len == 0)
        return refuse(p, -EINVAL, "a port is missing");
    if (r == -ERANGE)
        return refuse(p, -EINVAL, "port %.*s is not in the range %d-65535", shown, text.p,
                      allow_zero ? 0 : 1);
    if (r < 0)
        return refuse(p, -EINVAL, "\"%.*s\" is not a port", shown, text.p);
    *ret = port;
    return 0;
}

static int parse_port(struct parse *p, const struct field *f, bool allow_zero, uint16_t *ret)
{
    unsigned port = 0;
    int r = parse_port_text(p, span_of(f->text), allow_zero, &port);
    if (r == 0)
        *ret = (uint16_t)port;
    return r;
}

static int parse_range(struct parse *p, const struct field *f, struct range *ret)
{
    struct span text = span_of(f->text);
    unsigned first = 0, last = 0;
    ptrdiff_t dash = looks_like_ports(f) ? span_find(text, '-') : -1;
    int r =
        parse_port_text(p, span_sub(text, 0, dash < 0 ? text.len : (size_t)dash), false, &first);
    if (r < 0)
        return r;
    last = first;
    if (dash >= 0)
        r = parse_port_text(p, span_sub(text, (size_t)dash + 1, text.len), false, &last);
    if (r < 0)
        return r;
    if (last < first)
        return refuse(p, -EINVAL, "the range runs backwards");
    *ret = (struct range){.first = first, .count = last - first + 1};
    return 0;
}

static int check_host(struct parse *p, const struct field *f)
{
    if (f->bracketed || host_kind_of(span_of(f->text)) != HOST_INVALID)
        return 0;
    return refuse(p, -EINVAL, "\"%.80s\" is not a host", f->text);
}

static int check_path(struct parse *p, const struct field *f)
{
    if (strlen(f->text) > FORWARD_PATH_MAX_LEN)
        return refuse(p, -EINVAL, "a socket's path is longer than %d bytes", FORWARD_PATH_MAX_LEN);
    if (text_has_control(span_of(f->text)))
        return refuse(p, -EINVAL, "a socket's path has a control character in it");
    return 0;
}

/* Takes one field up to its colon (or the end) from the front of *rest. */
static int take_field(struct parse *p, struct span *rest, bool escapes, struct field *f)
{
    size_t i = 0, n = 0;
    *f = (struct field){.bracketed = span_starts(*rest, "[")};
    for (; i < rest->len; i++) {
        char c = rest->p[i];
        if (c == ':' && !f->bracketed)
            break;
        if (c == '\\' && escapes && i + 1 < rest->len)
            c = rest->p[++i];
        if (n + 1 >= sizeof(f->text))
            return refuse(p, -EINVAL, "a piece of it is too long");
        f->text[n++] = c;
        if (c == ']' && f->bracketed) {
            i++;
            break;
        }
    }
    if (f->bracketed) {
        /* Without the brackets: what remains must be an IPv6 address, and a colon or the end. */
        struct span inner = span_sub(span_of(f->text), 1, n - 1);
        bool closed = n >= 2 && f->text[n - 1] == ']';
        if (!closed || (i < rest->len && rest->p[i] != ':') || host_kind_of(inner) != HOST_IPV6)
            return refuse(p, -EINVAL, "brackets are for an IPv6 address, as in [::1]:8080");
        memmove(f->text, f->text + 1, inner.len);
        f->text[inner.len] = '\0';
    }
    f->path = !f->bracketed && strchr(f->text, '/') != NULL;
    *rest = i < rest->len ? span_sub(*rest, i + 1, rest->len) : SPAN_NULL;
    return 0;
}

static int split_fields(struct parse *p, struct span text, bool escapes)
{
    p->n_fields = 0;
    while (text.p) {
        if (p->n_fields == FIELDS_MAX)
            return refuse(p, -EINVAL,
                          "it has too many colons (an IPv6 address stands in brackets)");
        int r = take_field(p, &text, escapes, &p->fields[p->n_fields++]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_ranges(struct parse *p, const struct forward *shape, const struct range *local,
                      const struct range *remote)
{
    if (local->count != remote->count)
        return refuse(p, -EINVAL, "the ranges have %u and %u ports", local->count, remote->count);
    for (unsigned i = 0; i < local->count; i++) {
        struct forward f = *shape;
        f.local_port = (uint16_t)(local->first + i);
        f.remote_port = (uint16_t)(remote->first + i);
        int r = add(p, &f);
        if (r < 0)
            return r;
    }
    return 0;
}

/* [ADDR:]LOCAL[-END][:[HOST:]REMOTE[-END]] */
static int parse_ports_piece(struct parse *p, struct span piece, enum forward_network network)
{
    struct forward shape = {.network = network, .kind = FORWARD_LOCAL};
    struct range local = {0}, remote = {0};
    int r = piece.len ? split_fields(p, piece, false) : refuse(p, -EINVAL, "it has an empty piece");
    if (r < 0)
        return r;
    struct field *f = p->fields, *end = p->fields + p->n_fields;
    for (struct field *it = f; it < end; it++)
        if (it->text[0] == '\0')
            return refuse(p, -EINVAL, "it has an empty piece");

    if (p->n_fields > 1 && !looks_like_ports(f)) {
        if (!is_address(f))
            return refuse(p, -EINVAL, "\"%.80s\" is neither a port nor an address to listen on",
                          f->text);
        shape.bind = f++->text;
    }
    if ((r = parse_range(p, f++, &local)) < 0)
        return r;
    remote = local;
    shape.host = (char *)default_host;
    if (end - f > 2)
        return refuse(p, -EINVAL, "it has too many pieces");
    if (end - f == 2) {
        if ((r = check_host(p, f)) < 0)
            return r;
        shape.host = f++->text;
    }
    if (f < end && (r = parse_range(p, f, &remote)) < 0)
        return r;
    return add_ranges(p, &shape, &local, &remote);
}

static int parse_ports(struct parse *p, enum forward_network network)
{
    struct span rest = p->spec, piece;
    while (span_split(&rest, ',', &piece)) {
        int r = parse_ports_piece(p, piece, network);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The listener of -L, -R and -D: [ADDR:]PORT or a path, in the first `n` fields. */
static int parse_listener(struct parse *p, size_t n, bool allow_zero, struct forward *f)
{
    struct field *first = &p->fields[0];
    if (n == 1 && first->path) {
        f->local_path = first->text;
        return check_path(p, first);
    }
    if (n == 2) {
        if (first->text[0] == '\0')
            str_copy(first->text, sizeof(first->text), "*");
        if (!is_address(first))
            return refuse(p, -EINVAL, "\"%.80s\" is not an address to listen on", first->text);
        f->bind = first->text;
    }
    return parse_port(p, &p->fields[n - 1], allow_zero, &f->local_port);
}

/* -L and -R: a listener, then HOST:PORT or a path. */
static int parse_ssh(struct parse *p, bool remote)
{
    struct forward f = {.kind = remote ? FORWARD_REMOTE : FORWARD_LOCAL};
    size_t n = p->n_fields;
    bool to_path = n >= 2 && p->fields[n - 1].path;
    /* Fields of the target; those before are the listener's. */
    size_t target = to_path ? 1 : 2;
    if (remote && n <= 2 && !to_path && !p->fields[0].path) {
        f.kind = FORWARD_REMOTE_DYNAMIC;
        target = 0;
    } else if (n <= target) {
        return refuse(p, -EINVAL, "it has no target (PORT:HOST:PORT)");
    }
    if (n - target > (p->fields[0].path ? 1 : 2))
        return refuse(p, -EINVAL, "it has too many pieces");

    int r = parse_listener(p, n - target, remote, &f);
    if (r == 0 && target == 1) {
        f.remote_path = p->fields[n - 1].text;
        r = check_path(p, &p->fields[n - 1]);
    } else if (r == 0 && target == 2) {
        f.host = p->fields[n - 2].text;
        r = f.host[0] ? check_host(p, &p->fields[n - 2]) : refuse(p, -EINVAL, "a host is missing");
        if (r == 0)
            r = parse_port(p, &p->fields[n - 1], false, &f.remote_port);
    }
    if (f.local_path || f.remote_path)
        f.network = FORWARD_NET_UNIX;
    return r < 0 ? r : add(p, &f);
}

static int parse_dynamic(struct parse *p)
{
    struct forward f = {.kind = FORWARD_DYNAMIC};
    if (p->n_fields > 2)
        return refuse(p, -EINVAL, "it has too many pieces ([ADDR:]PORT)");
    if (p->fields[0].path)
        return refuse(p, -EINVAL, "a SOCKS listener needs a port");
    int r = parse_listener(p, p->n_fields, false, &f);
    return r < 0 ? r : add(p, &f);
}

static int parse_spec(struct parse *p)
{
    if (p->spec.len == 0)
        return refuse(p, -EINVAL, "it is empty");
    if (p->flag == FORWARD_FLAG_TCP || p->flag == FORWARD_FLAG_UDP)
        return parse_ports(p, p->flag == FORWARD_FLAG_UDP ? FORWARD_NET_UDP : FORWARD_NET_TCP);
    int r = split_fields(p, p->spec, true);
    if (r < 0)
        return r;
    return p->flag == FORWARD_FLAG_D ? parse_dynamic(p) : parse_ssh(p, p->flag == FORWARD_FLAG_R);
}

int forward_set_add(struct forward_set *set, enum forward_flag flag, const char *spec,
                    struct err *err)
{
    struct parse p = {.set = set, .flag = flag, .spec = span_of(spec), .err = err};
    size_t before = set->len;
    int r = parse_spec(&p);
    if (r < 0)
        truncate_set(set, before);
    return r;
}
