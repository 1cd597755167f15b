#pragma once
/*
 * What `adit port-forward` shows while it runs: on a terminal a block of status lines that is
 * redrawn in place, with messages above it; otherwise plain lines; or events as JSON lines.
 */
#include "cli/output.h"
#include "forward/forwarder.h"
#include "io/timer.h"

struct forward_display;

struct forward_display_options {
    struct output *out;
    bool verbose; /* text: a line for every connection too */
    const char *workspace;
};

struct forward_display *forward_display_new(struct loop *loop,
                                            const struct forward_display_options *options);
/* The forwards whose statistics are shown; from then on the status block is drawn. */
void forward_display_start(struct forward_display *d, const struct forwarder *f,
                           const struct forward_set *set);
void forward_display_event(struct forward_display *d, const struct forward_event *event);

/* The session is there, relayed. */
void forward_display_up(struct forward_display *d);
/* What is new goes directly to `address` now; NULL: by the relay again, or (away) nowhere. */
void forward_display_path(struct forward_display *d, const char *address);
/* For the first time the session is there and everything listens. */
void forward_display_ready(struct forward_display *d);
/* It is not: what is waited for and why. `was_up`: it was there until now. */
void forward_display_away(struct forward_display *d, bool was_up, const char *reason);
/* Last measured round trip; 0: not known. */
void forward_display_round_trip(struct forward_display *d, usec_t rtt);
/* The reason why the command ends; `hint` may be NULL. */
void forward_display_error(struct forward_display *d, const char *text, const char *hint);

/* The terminal's size changed. */
void forward_display_resized(struct forward_display *d);
/* Wipes the block. Returns NULL; accepts NULL. */
struct forward_display *forward_display_free(struct forward_display *d);
