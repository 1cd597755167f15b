#pragma once
/*
 * A request at the serving end, from its head until it is answered (the public part is in
 * channel.h), and what the files of this folder share of a session. For this folder only.
 */
#include "base/buf.h"
#include "base/list.h"
#include "http/h2.h"
#include "tunnel/channel.h"
#include "tunnel/session.h"

struct channel_request {
    struct list link;               /* in its session's `requests` */
    struct tunnel_session *session; /* NULL once that was freed */
    struct stream *channel;
    struct channel_request_info info;
    char *text; /* method, path and fields: all strings, one allocation */
    struct h2_field *fields;
    size_t n_fields;
    struct buf body;
    bool delivered;
    channel_cancelled_fn *cancelled;
    void *ud;
};

struct tunnel_session {
    struct loop *loop;
    struct h2 *h2;
    struct tunnel_session_options options;
    void *context;
    struct list requests;  /* not yet answered */
    struct list listeners; /* of listen_server.c */
    struct list lanes;     /* struct lane_stream */
    bool may_lane;
};

/*
 * Takes over the channel of a request that has come. Answers it itself when it makes no sense;
 * otherwise hands it to the session's owner, plain requests once their body is whole.
 */
void channel_request_receive(struct tunnel_session *s, struct stream *channel,
                             const struct h2_head *head);
/* The session goes: requests stay with their owners, who are told that they are cancelled. */
void channel_request_orphan_all(struct tunnel_session *s);
