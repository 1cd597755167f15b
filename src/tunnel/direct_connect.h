#pragma once
/*
 * One connection to the TCP port of an agent: TLS 1.3 with both keys pinned, as peer sessions have
 * it. The port faces strangers, so a client first says a name (by SNI) that only those can know
 * who know both keys; an agent that does not expect it refuses before it shows anything.
 */
#include "base/clock.h"
#include "base/err.h"
#include "io/addr.h"
#include "io/tls.h"

struct direct_connect;
struct loop;
struct stream;

enum { DIRECT_NAME_SIZE = 41 };

/* The name that a peer asks an agent for: 32 hexadecimal digits and ".invalid". */
char *direct_name(const struct tls_pin *agent, const struct tls_pin *peer,
                  char dst[static DIRECT_NAME_SIZE]);

/*
 * `tls`: the stream, which is the callee's, or NULL with the reason in `err` (borrowed). In TLS
 * 1.3 the agent may still refuse our key afterwards. The handle is gone.
 */
typedef void direct_connected_fn(struct stream *tls, const struct err *err, void *ud);

struct direct_connect_options {
    struct addr addr;        /* with a port */
    struct tls_context *tls; /* from tls_context_peer() */
    struct tls_pin pin;      /* the agent's */
    const char *alpn;        /* NULL: adit/1 */
    usec_t timeout;          /* of everything; 0: 5 s */
    direct_connected_fn *done;
    void *ud;
};

/* `done` never runs inside this call. */
struct direct_connect *direct_connect_start(struct loop *loop,
                                            const struct direct_connect_options *options);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct direct_connect *direct_connect_cancel(struct direct_connect *c);
