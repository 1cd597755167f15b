#pragma once
/*
 * What a TCP port speaks, found out with one connection: whoever speaks first is no web server;
 * who does not is asked for HEAD / as a browser would. Only a server that then hangs up without a
 * word, as those of TLS often do, gets a second connection with the start of a TLS handshake.
 */
#include <stdbool.h>
#include <stdint.h>

#include "api/peer.h"
#include "base/span.h"

struct loop;
struct probe;

/* API_PORT_UNKNOWN: it took the connection and said nothing, or did not take it. */
typedef void probe_done_fn(enum api_port_speaks speaks, void *ud);

/*
 * At most 4 s, and PROBE_ANSWER_MAX bytes are read. `done` never runs inside this call; the probe
 * is freed when it has.
 */
enum { PROBE_ANSWER_MAX = 512 };
struct probe *probe_start(struct loop *loop, const char *host, uint16_t port, probe_done_fn *done,
                          void *ud);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct probe *probe_cancel(struct probe *p);

/* ---- what answers mean: pure ---- */

/* Of what came unasked. Never UNKNOWN when there is something. */
enum api_port_speaks probe_of_greeting(struct span text);
/*
 * Of the answer to HEAD /, as far as it has come; `ended`: nothing more will. UNKNOWN: more is
 * needed, or (when ended) it said nothing.
 */
enum api_port_speaks probe_of_answer(struct span text, bool ended);
/* Of the answer to the start of a TLS handshake. */
enum api_port_speaks probe_of_handshake(struct span text);
