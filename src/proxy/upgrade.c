/* After 101 the connection is a byte pipe: WebSocket or whatever else it became. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "http/client_conn.h"
#include "http/exchange.h"
#include "io/relay.h"
#include "io/stream.h"
#include "proxy/request.h"
#include "proxy/rewrite.h"
#include "proxy/transfer.h"

/* For the other direction once one has ended: nothing has a use for it then. */
static const usec_t half_closed_limit = 30 * USEC_PER_SEC;

static void count_bytes(struct app_request *q)
{
    PROXY_COUNT(q, bytes_out, relay_bytes_a_to_b(q->relay));
    PROXY_COUNT(q, bytes_in, relay_bytes_b_to_a(q->relay));
}

static void on_done(struct relay *r, int result, void *ud)
{
    struct app_request *q = ud;
    count_bytes(q);
    q->relay = NULL; /* it frees itself */
    request_free(q);
}

static void on_upgraded(struct stream *person, int result, void *ud)
{
    struct app_request *q = ud;
    struct relay_options options = {
        .half_closed_limit = half_closed_limit, .done = on_done, .ud = q};
    if (result < 0 || q->state == REQUEST_ENDED) {
        stream_free(person);
        transfer_let_go(q);
        request_free(q);
        return;
    }
    request_set_state(q, REQUEST_RELAY);
    PROXY_COUNT(q, upgrades, 1);
    q->relay = relay_new(steal(&q->upgraded), person, &options);
}

void upgrade_start(struct app_request *q)
{
    struct exchange *x = q->x;
    const struct client_response *answer = client_call_response(q->call);
    const struct rewrite_answer how = {
        .upgrade = true, .by_path = q->addr.by_path, .ours = &q->proxy->cookies};
    int r = rewrite_response(&answer->headers, &how, &x->response);
    request_add_fields(q);
    q->upgraded = client_call_upgrade(q->call);
    q->call = client_call_free(q->call);
    pool_drop(steal(&q->conn));
    exchange_set_callbacks(x, NULL, NULL, NULL);
    request_set_state(q, REQUEST_UPGRADE);
    if (r == 0)
        r = exchange_upgrade(x, 101, on_upgraded, q);
    if (r < 0) {
        transfer_let_go(q);
        exchange_abort(x);
        request_free(q);
        return;
    }
    q->x = NULL;
}

void upgrade_end(struct app_request *q)
{
    if (q->state == REQUEST_UPGRADE) {
        transfer_let_go(q);
        request_set_state(q, REQUEST_ENDED);
        return;
    }
    count_bytes(q);
    q->relay = relay_free(q->relay);
    request_free(q);
}
