/*
 * Many agents in one process, for bench/run: each has a connection to the server of its own and
 * speaks what a real agent speaks (it is made of the same code), but nobody uses it.
 *
 *     bench-agents URL FILE      FILE has a token a line
 *
 * The certificates of an https server are looked for where SSL_CERT_FILE says. Prints
 * "connected N SECONDS" whenever the number of connected agents has reached all of them (seconds
 * since the start, or since the first of them was lost), and "lost" when they begin to go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/peer.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"
#include "tunnel/agent_link.h"
#include "tunnel/channel.h"
#include "tunnel/ws_carrier.h"

struct swarm {
    struct loop *loop;
    struct tls_context *tls;
    struct tls_identity *identity; /* one for all: making a key is not what is measured */
    size_t n, n_connected;
    usec_t since;
};

struct member {
    struct swarm *swarm;
    struct ws_carrier *carrier;
    struct agent_link *link;
    struct stream *records; /* held open, as by a real agent */
    bool connected;
};

static void answer_info(const struct swarm *s, struct channel_request *rq)
{
    struct api_agent_info info = {.version = ADIT_VERSION, .os = "Linux", .hostname = "bench"};
    struct buf json = BUF_INIT(4096);
    struct tls_pin pin;
    tls_identity_pin(s->identity, &pin);
    memcpy(info.pin, pin.sha256, sizeof(info.pin));
    if (api_agent_info_write(&info, &json) < 0)
        abort();
    channel_answer(rq, 200, buf_cstr(&json));
    buf_deinit(&json);
}

static void records_ready(struct stream *s, unsigned events, void *ud)
{
    struct member *m = ud;
    char ignored[64];
    ssize_t n = stream_recv(s, ignored, sizeof(ignored));
    if (n > 0 || n == -EAGAIN)
        return;
    if (m->records == s)
        m->records = NULL;
    stream_free(s);
}

static void requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    struct member *m = ud;
    const struct channel_request_info *info = channel_request_info(rq);
    if (info->kind != CHANNEL_REQUEST) {
        channel_refuse(rq, DIAL_REFUSED, NULL);
    } else if (str_eq(info->path, "/info")) {
        answer_info(m->swarm, rq);
    } else if (span_starts(span_of(info->path), "/events")) {
        m->records = channel_accept_body(rq, "application/jsonl");
        stream_set_ready(m->records, records_ready, m);
        stream_want(m->records, STREAM_READ);
    } else {
        channel_answer(rq, 404, NULL);
    }
}

static void link_changed(struct agent_link *l, const struct link_status *status, void *ud)
{
    struct member *m = ud;
    struct swarm *s = m->swarm;
    bool connected = status->state == LINK_CONNECTED;
    if (connected == m->connected)
        return;
    if (!connected && s->n_connected == s->n) {
        s->since = loop_now(s->loop);
        puts("lost");
        fflush(stdout);
    }
    m->connected = connected;
    s->n_connected += connected ? 1 : (size_t)-1;
    if (s->n_connected < s->n)
        return;
    printf("connected %zu %.3f\n", s->n,
           (double)(loop_now(s->loop) - s->since) / (double)USEC_PER_SEC);
    fflush(stdout);
}

static void start(struct swarm *s, const char *url, const char *token)
{
    struct member *m = new0(struct member);
    struct err err = ERR_INIT;
    struct secret *secret = secret_new(token, strlen(token));
    const struct ws_carrier_options carrier = {.server_url = url, .token = secret, .tls = s->tls};
    m->swarm = s;
    if (ws_carrier_for_agent(&carrier, &m->carrier, &err) < 0) {
        fprintf(stderr, "bench-agents: %s\n", err.text);
        exit(1);
    }
    const struct agent_link_options link = {.opener = ws_carrier_opener(m->carrier),
                                            .requested = requested,
                                            .changed = link_changed,
                                            .ud = m};
    m->link = agent_link_new(s->loop, &link);
    secret_free(secret);
    s->n++;
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct swarm s = {0};
    struct err err = ERR_INIT;
    char line[512];
    FILE *tokens = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!tokens) {
        fputs("usage: bench-agents URL FILE-OF-TOKENS\n", stderr);
        return 2;
    }
    allow_descriptors();
    s.loop = loop_new();
    s.identity = tls_identity_new();
    const struct tls_client_options client = {0};
    if (tls_context_client(&client, &s.tls, &err) < 0) {
        fprintf(stderr, "bench-agents: %s\n", err.text);
        return 1;
    }
    s.since = loop_now(s.loop);
    while (fgets(line, sizeof(line), tokens)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line)
            start(&s, argv[1], line);
    }
    fclose(tokens);
    loop_run(s.loop);
    return 0;
}
