/*
 *     DIAL -> GREETING -> ANSWER -> (DIAL -> HANDSHAKE) -> done
 *
 * One timer bounds each step.
 */
#include "agent/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proto/hostport.h"

/* Time for a greeting; a web server waits for as long as that without any harm. */
static const usec_t greeting_limit = 150 * USEC_PER_MSEC;
static const usec_t dial_limit = 500 * USEC_PER_MSEC;
static const usec_t answer_limit = 2 * USEC_PER_SEC;
static const usec_t handshake_limit = 750 * USEC_PER_MSEC;

/*
 * RFC 8446 section 4.1.2: a ClientHello that offers TLS 1.3 and 1.2 with common suites and no key
 * share, so that any server answers with a hello of its own, a retry request or an alert.
 */
static const unsigned char
    client_hello[] =
        {
            0x16, 0x03, 0x01, 0x00, 0x7c,       /* record: handshake, 124 bytes */
            0x01, 0x00, 0x00, 0x78, 0x03, 0x03, /* ClientHello, 120 bytes, "TLS 1.2" */
            'a',  'd',  'i',  't',  ' ',  'a',  's',  'k',  's',  ' ',  'w',  'h',
            'a',  't',  ' ',  't',  'h',  'i',  's',  ' ',  'p',  'o',  'r',  't',
            ' ',  's',  'p',  'e',  'a',  'k',  's',  '.',  0x00, /* no session */
            0x00, 0x14, 0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f,
            0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8, 0x00, 0x9c, /* suites */
            0x01, 0x00,                                                 /* no compression */
            0x00, 0x3b,                                                 /* extensions, 59 bytes */
            0x00, 0x00, 0x00, 0x0e, 0x00, 0x0c, 0x00, 0x00, 0x09, 'l',  'o',  'c',
            'a',  'l',  'h',  'o',  's',  't', /* server_name: localhost */
            0x00, 0x0a, 0x00, 0x08, 0x00, 0x06, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x18, /* groups */
            0x00, 0x0d, 0x00, 0x0a, 0x00, 0x08, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01,
            0x08, 0x07,                                           /* signature_algorithms
                                                                   */
            0x00, 0x2b, 0x00, 0x05, 0x04, 0x03, 0x04, 0x03, 0x03, /* supported_versions */
            0x00, 0x33, 0x00, 0x02, 0x00, 0x00,                   /* key_share: none */
};

enum step { DIALLING, GREETING, ANSWER, HANDSHAKE };

struct probe {
    struct loop *loop;
    char host[HOST_SIZE];
    uint16_t port;
    enum step step;
    bool second; /* the connection is for the handshake */
    struct dial *dial;
    struct stream *s;
    struct timer timer;
    char answer[PROBE_ANSWER_MAX];
    size_t answer_len;
    probe_done_fn *done;
    void *ud;
};

/* ---- what answers mean ---- */

static bool contains(struct span text, const char *needle)
{
    return span_find_str(text, needle) >= 0;
}

enum api_port_speaks probe_of_greeting(struct span text)
{
    return span_starts(text, "HTTP/") ? API_PORT_HTTP : API_PORT_OTHER;
}

/* A handshake, or an alert, of any version of SSL 3 or TLS (RFC 8446 section 5.1). */
static bool is_tls_record(struct span text)
{
    return text.len >= 2 && (text.p[0] == 0x15 || text.p[0] == 0x16) && text.p[1] == 0x03;
}

/* Servers that guess what happened say so in plain HTTP, behind the head. */
static bool says_tls_is_needed(struct span text)
{
    return contains(text, "HTTPS server") || contains(text, "HTTPS port") ||
           contains(text, "SSL-enabled");
}

/* HTTP/0.9 has no head: so Python's http.server answers what it does not understand. */
static bool is_page(struct span text)
{
    return span_starts(text, "<!DOCTYPE") || span_starts(text, "<html");
}

enum api_port_speaks probe_of_answer(struct span text, bool ended)
{
    static const char page[] = "<!DOCTYPE";
    ptrdiff_t line = span_find(text, '\n');
    if (text.len == 0)
        return API_PORT_UNKNOWN;
    if (is_tls_record(text))
        return API_PORT_TLS;
    if (text.len < sizeof(page) - 1 && !ended)
        return API_PORT_UNKNOWN;
    if (!span_starts(text, "HTTP/"))
        return is_page(text) ? API_PORT_HTTP : API_PORT_OTHER;
    if (line < 0)
        return ended ? API_PORT_HTTP : API_PORT_UNKNOWN;
    if (!contains(span_sub(text, 0, (size_t)line), " 400 "))
        return API_PORT_HTTP;
    if (says_tls_is_needed(text))
        return API_PORT_TLS;
    return ended ? API_PORT_HTTP : API_PORT_UNKNOWN;
}

enum api_port_speaks probe_of_handshake(struct span text)
{
    return is_tls_record(text) ? API_PORT_TLS : API_PORT_OTHER;
}

/* ---- the course ---- */

static void probe_free(struct probe *p)
{
    timer_cancel(&p->timer);
    dial_cancel(p->dial);
    stream_free(p->s);
    free(p);
}

static void finish(struct probe *p, enum api_port_speaks speaks)
{
    probe_done_fn *done = p->done;
    void *ud = p->ud;
    probe_free(p);
    done(speaks, ud);
}

static void dialled(enum dial_outcome outcome, struct stream *s, const struct err *err, void *ud);

static void dial(struct probe *p)
{
    const struct dial_options options = {.timeout = dial_limit, .done = dialled, .ud = p};
    p->step = DIALLING;
    p->answer_len = 0;
    p->dial = dial_tcp(p->loop, p->host, p->port, &options);
}

/* The connection has ended, or there is as much as will be read. */
static void conclude(struct probe *p, bool ended)
{
    struct span text = span_from(p->answer, p->answer_len);
    enum api_port_speaks speaks = API_PORT_UNKNOWN;
    if (p->step == GREETING)
        speaks = text.len > 0 ? probe_of_greeting(text) : API_PORT_OTHER;
    else if (p->step == ANSWER)
        speaks = probe_of_answer(text, ended);
    else
        speaks = probe_of_handshake(text);
    if (p->step == ANSWER && speaks == API_PORT_UNKNOWN) {
        if (!ended)
            return;
        p->s = stream_free(p->s);
        timer_cancel(&p->timer);
        p->second = true;
        dial(p);
        return;
    }
    finish(p, speaks);
}

static void ready(struct stream *s, unsigned events, void *ud)
{
    struct probe *p = ud;
    ssize_t n = stream_recv(s, p->answer + p->answer_len, sizeof(p->answer) - p->answer_len);
    if (n == -EAGAIN)
        return;
    if (n > 0)
        p->answer_len += (size_t)n;
    conclude(p, n <= 0 || p->answer_len == sizeof(p->answer));
}

/* Short enough for any socket's buffer; if it does not go out, nothing comes back. */
static void ask(struct probe *p)
{
    char authority[HOSTPORT_SIZE], request[512];
    int len =
        snprintf(request, sizeof(request),
                 "HEAD / HTTP/1.1\r\nHost: %s\r\nUser-Agent: adit/%s (what is on this port?)\r\n"
                 "Accept: */*\r\nConnection: close\r\n\r\n",
                 hostport_format("localhost", p->port, authority), ADIT_VERSION);
    p->step = ANSWER;
    timer_start(&p->timer, answer_limit);
    stream_send_bytes(p->s, request, (size_t)len);
}

static void too_long(struct timer *t, void *ud)
{
    struct probe *p = ud;
    if (p->step == GREETING)
        ask(p);
    else if (p->step == ANSWER && p->answer_len > 0)
        finish(p, probe_of_answer(span_from(p->answer, p->answer_len), true));
    else
        finish(p, API_PORT_UNKNOWN);
}

static void dialled(enum dial_outcome outcome, struct stream *s, const struct err *err, void *ud)
{
    struct probe *p = ud;
    p->dial = NULL;
    if (outcome != DIAL_OUTCOME_OK) {
        finish(p, p->second ? API_PORT_OTHER : API_PORT_UNKNOWN);
        return;
    }
    p->s = s;
    p->step = p->second ? HANDSHAKE : GREETING;
    timer_start(&p->timer, p->second ? handshake_limit : greeting_limit);
    stream_set_ready(s, ready, p);
    stream_want(s, STREAM_READ);
    if (p->second)
        stream_send_bytes(s, client_hello, sizeof(client_hello));
}

struct probe *probe_start(struct loop *loop, const char *host, uint16_t port, probe_done_fn *done,
                          void *ud)
{
    struct probe *p = new0(struct probe);
    _Static_assert(sizeof(client_hello) == 5 + 0x7c, "the lengths in it are right");
    p->loop = loop;
    p->port = port;
    p->done = done;
    p->ud = ud;
    str_copy(p->host, sizeof(p->host), host);
    timer_init(&p->timer, loop, too_long, p);
    dial(p);
    return p;
}

struct probe *probe_cancel(struct probe *p)
{
    if (p)
        probe_free(p);
    return NULL;
}
