#pragma once
/*
 * An attempt to reach a target: by a channel, from the workspace, or by dialling from here. The
 * two sides of -L and -R differ only in this.
 */
#include <stdbool.h>

#include "proto/dial_result.h"
#include "tunnel/channel.h"

struct dial;
struct forwarder;
struct stream;

struct reach_options {
    bool here;  /* dial from this machine; otherwise ask for a channel */
    bool early; /* channels only */
    channel_opened_fn *done;
    channel_refused_fn *refused; /* early only */
    void *ud;
};

/*
 * Embedded in its owner, who keeps it until the stream that was reached is freed: a refusal of an
 * early channel comes that late.
 */
struct reach {
    struct forwarder *forwarder;
    struct reach_options options;
    struct channel_open *open; /* under way, or NULL */
    struct dial *dial;         /* under way, or NULL */
};

/* No callback inside this call. Texts of the target are used during the call only. */
void reach_start(struct reach *r, struct forwarder *f, const struct channel_target *target,
                 const struct reach_options *options);
/* No callback afterwards. Also for one that is done or was never started (zeros). */
void reach_cancel(struct reach *r);
