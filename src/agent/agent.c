/*
 * Wiring: one loop; a key pair that lives as long as the process; the link to the server; the
 * peers. What the server asks goes to the peers' acceptor, to the apps, or to the agent's own API.
 */
#include "agent/agent.h"

#include <signal.h>
#include <stdlib.h>

#include "agent/apps.h"
#include "agent/direct_listener.h"
#include "agent/feed.h"
#include "agent/footprint.h"
#include "agent/forwards.h"
#include "agent/peers.h"
#include "agent/records.h"
#include "agent/server_api.h"
#include "agent/ssh_host.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/signal.h"
#include "io/timer.h"
#include "io/tls.h"
#include "tunnel/agent_link.h"
#include "tunnel/direct_acceptor.h"
#include "tunnel/lane_server.h"
#include "tunnel/peer_acceptor.h"
#include "tunnel/ws_carrier.h"

static const usec_t trim_after = 2 * USEC_PER_SEC;

struct agent_process {
    struct loop *loop;
    struct tls_identity *identity;
    struct tls_context *peer_tls;
    struct tls_context *server_tls;
    struct ws_carrier *carrier;
    struct agent_link *link;
    struct ssh_host *ssh;
    struct peers *peers;
    struct lane_server *lanes;
    struct direct_listener *port; /* NULL: none */
    struct records *records;
    struct forwards *forwards;
    struct feed *feed;
    struct server_api *api;
    struct apps *apps;
    struct signal_watch *signals[2];
    struct timer trim; /* some time after it has connected */
};

static void requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    struct agent_process *a = ud;
    if (peer_acceptor_handle(peers_acceptor(a->peers), rq))
        return;
    if (channel_request_info(rq)->kind == CHANNEL_TCP)
        apps_handle(a->apps, rq);
    else
        server_api_handle(a->api, rq);
}

/* The code of the TLS handshake is not needed again for long, most likely. */
static void trim(struct timer *t, void *ud)
{
    footprint_trim();
}

static void link_changed(struct agent_link *l, const struct link_status *status, void *ud)
{
    struct agent_process *a = ud;
    switch (status->state) {
    case LINK_CONNECTED:
        log_info("connected to the server");
        timer_start(&a->trim, trim_after);
        break;
    case LINK_WAITING:
        peers_server_away(a->peers, false);
        log_warn("server away", LOG_STR("reason", status->reason ? status->reason->text : ""),
                 LOG_INT("next_try_ms", status->next_try / USEC_PER_MSEC));
        break;
    case LINK_DENIED:
        peers_server_away(a->peers, true);
        log_error("the server refuses this agent",
                  LOG_STR("reason", status->reason ? status->reason->text : ""),
                  LOG_INT("next_try_ms", status->next_try / USEC_PER_MSEC));
        break;
    case LINK_CONNECTING:
        break;
    }
}

static void signalled(int signum, void *ud)
{
    struct agent_process *a = ud;
    log_info("stopping", LOG_INT("signal", signum));
    loop_stop(a->loop);
}

/* Without the port everything works by the relay, so that only a wish that is not one is an error.
 */
static int open_port(struct agent_process *a, const struct agent_config *config, struct err *err)
{
    const struct direct_listener_options options = {.tls = a->peer_tls,
                                                    .peers = peers_acceptor(a->peers),
                                                    .port = config->direct_port,
                                                    .addresses = config->direct_addrs};
    if (config->no_direct)
        return 0;
    int r = direct_listener_new(a->loop, &options, &a->port, err);
    if (r < 0 && (config->direct_port || config->direct_addrs))
        return r;
    if (r < 0)
        log_warn("no direct connections", LOG_STR("reason", err->text));
    else
        log_info("taking direct connections", LOG_INT("port", direct_listener_port(a->port)));
    if (a->port)
        direct_acceptor_add(direct_listener_acceptor(a->port), lane_server_protocol(a->lanes));
    peers_open_port(a->peers, a->port);
    return 0;
}

static int start(struct agent_process *a, const struct agent_config *config, struct err *err)
{
    a->loop = loop_new();
    timer_init(&a->trim, a->loop, trim, a);
    a->identity = tls_identity_new();
    int r = tls_context_peer(a->identity, &a->peer_tls, err);
    if (r < 0)
        return r;
    const struct tls_client_options client = {0};
    r = tls_context_client(&client, &a->server_tls, err);
    if (r < 0)
        return r;
    const struct ws_carrier_options carrier = {
        .server_url = config->server_url, .token = config->token, .tls = a->server_tls};
    r = ws_carrier_for_agent(&carrier, &a->carrier, err);
    if (r < 0)
        return r;

    a->ssh = ssh_host_new(span_from(config->token->text, config->token->len));
    a->peers = peers_new(a->loop, a->peer_tls, a->ssh);
    a->records = records_new(a->loop);
    a->forwards = forwards_new();
    peers_report_to(a->peers, a->records, a->forwards);
    const struct lane_server_options lanes = {.tls = a->peer_tls, .server_url = config->server_url};
    a->lanes = lane_server_new(a->loop, &lanes);
    peers_allow_lanes(a->peers, a->lanes);
    r = open_port(a, config, err);
    if (r < 0)
        return r;
    const struct feed_options feed = {.no_port_probe = config->no_port_probe,
                                      .forwards = a->forwards,
                                      .ssh = a->ssh,
                                      .direct = a->port ? direct_listener_acceptor(a->port) : NULL};
    a->feed = feed_new(a->loop, &feed);
    a->api = server_api_new(a->identity, a->records, a->feed);
    a->apps = apps_new(a->loop);
    if (a->port)
        server_api_tell_direct(a->api);
    const struct agent_link_options link = {.opener = ws_carrier_opener(a->carrier),
                                            .requested = requested,
                                            .changed = link_changed,
                                            .ud = a};
    a->link = agent_link_new(a->loop, &link);
    a->signals[0] = signal_watch_new(a->loop, SIGINT, signalled, a);
    a->signals[1] = signal_watch_new(a->loop, SIGTERM, signalled, a);
    return 0;
}

static void stop(struct agent_process *a)
{
    for (size_t i = 0; i < ARRAY_LEN(a->signals); i++)
        signal_watch_free(a->signals[i]);
    feed_free(a->feed);
    direct_listener_free(a->port);
    peers_free(a->peers);
    lane_server_free(a->lanes);
    server_api_free(a->api);
    ssh_host_free(a->ssh);
    forwards_free(a->forwards);
    records_free(a->records);
    apps_free(a->apps);
    agent_link_free(a->link);
    timer_cancel(&a->trim);
    ws_carrier_free(a->carrier);
    tls_context_unref(a->server_tls);
    tls_context_unref(a->peer_tls);
    tls_identity_free(a->identity);
    loop_free(a->loop);
}

enum agent_exit agent_run(const struct agent_config *config, struct err *err)
{
    struct agent_process a = {0};
    int r = start(&a, config, err);
    if (r == 0) {
        footprint_trim();
        loop_run(a.loop);
    }
    stop(&a);
    return r == 0 ? AGENT_EXIT_SIGNAL : AGENT_EXIT_FAILED;
}
