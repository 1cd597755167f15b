/*
 * Numeric addresses and the names of the machine itself (RFC 6761 section 6.3: localhost and what
 * is below it) are answered without asking anybody; the rest goes to getaddrinfo(3) on libuv's
 * threads. A query that was cancelled lives on without its owner until libuv gives it back.
 */
#include "io/dns.h"

#include <errno.h>
#include <uv.h>

#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"

/* More than a sensible name has; what is beyond is not looked at. */
enum { MOST_ADDRS = 32 };

struct dns_query {
    uv_getaddrinfo_t req;
    struct defer answer; /* for what is known at once */
    struct addr *known;
    size_t n_known;
    int known_result;
    uint16_t port;
    dns_done_fn *done; /* NULL once cancelled or called */
    void *ud;
    bool in_done;
};

static void finish(struct dns_query *q, int result, const struct addr *addrs, size_t n_addrs)
{
    if (q->done) {
        q->in_done = true;
        q->done(result, addrs, n_addrs, q->ud);
    }
    free(q->known);
    free(q);
}

static void answer_known(void *ud)
{
    struct dns_query *q = ud;
    finish(q, q->known_result, q->known, q->n_known);
}

static int to_errno(int uv_error)
{
    switch (uv_error) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY:
        return -ENOENT;
    case UV_EAI_AGAIN:
        return -EAGAIN;
    default:
        return -EIO;
    }
}

static size_t copy_addrs(const struct addrinfo *found, uint16_t port, struct addr *dst)
{
    size_t n = 0;
    for (const struct addrinfo *ai = found; ai && n < MOST_ADDRS; ai = ai->ai_next) {
        if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
            continue;
        struct addr *a = &dst[n++];
        *a = (struct addr){.len = ai->ai_addrlen};
        memcpy(&a->storage, ai->ai_addr, ai->ai_addrlen);
        addr_set_port(a, port);
    }
    return n;
}

static void resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct dns_query *q = req->data;
    size_t n = 0;
    if (status == 0 && q->done) {
        q->known = xcalloc(MOST_ADDRS, sizeof(*q->known));
        n = copy_addrs(found, q->port, q->known);
    }
    uv_freeaddrinfo(found);
    if (status < 0)
        finish(q, to_errno(status), NULL, 0);
    else
        finish(q, n ? 0 : -ENOENT, q->known, n);
}

static bool is_localhost(const char *host)
{
    struct span name = span_of(host);
    if (span_ends(name, "."))
        name.len--;
    struct span end = name.len > 10 ? span_sub(name, name.len - 10, name.len) : SPAN_NULL;
    return span_iis(name, "localhost") || span_iis(end, ".localhost");
}

static void know(struct dns_query *q, const char *ip)
{
    struct addr a;
    if (addr_from_ip(ip, q->port, &a) < 0)
        return;
    q->known = xrealloc(q->known, (q->n_known + 1) * sizeof(*q->known));
    q->known[q->n_known++] = a;
}

struct dns_query *dns_resolve(struct loop *loop, const char *host, uint16_t port, dns_done_fn *done,
                              void *ud)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct dns_query *q = new0(struct dns_query);
    q->done = done;
    q->ud = ud;
    q->port = port;
    q->req.data = q;
    defer_init(&q->answer, answer_known, q);
    if (is_localhost(host)) {
        know(q, "::1");
        know(q, "127.0.0.1");
    } else {
        know(q, host);
    }
    if (q->n_known == 0) {
        int r = uv_getaddrinfo(loop_uv(loop), &q->req, resolved, host, NULL, &hints);
        if (r == 0)
            return q;
        /* A name that cannot be one: too long, or not to be encoded (IDNA). */
        q->known_result = -ENOENT;
    }
    defer_schedule(loop, &q->answer);
    return q;
}

struct dns_query *dns_cancel(struct dns_query *q)
{
    if (!q || q->in_done)
        return NULL;
    q->done = NULL;
    if (q->answer.scheduled) {
        defer_cancel(&q->answer);
        finish(q, 0, NULL, 0);
    } else {
        uv_cancel((uv_req_t *)&q->req);
    }
    return NULL;
}
