#pragma once
/*
 * The HTTP proxy on the -D listener: `CONNECT host:port`, and plain requests in absolute form
 * (RFC 9112 section 3.2.2), which are rewritten to origin form for the target. One connection
 * serves one target.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/dial_result.h"
#include "proto/host.h"

enum { HTTP_CONNECT_HEAD_MAX = 16384 }; /* bytes of a request head */

struct http_connect {
    size_t scanned; /* bytes already searched for the head's end */
    int status;     /* of the answer to a refused request: 400, 405, 431, 505 */
    /* Valid once http_connect_feed() has returned 1. */
    bool tunnel; /* CONNECT: answer 200, then bytes pass. Otherwise: send `head` to the target */
    char host[HOST_SIZE];
    uint16_t port;
};

void http_connect_init(struct http_connect *h);

/*
 * Looks at `data`, all bytes that have come so far, the first included.
 * 0: more are needed; 1: the request is complete, *ret_used bytes are its head, and unless it is a
 * tunnel the head for the target is appended to `head`; -EPROTO: refused, answer with h->status
 * and close. -ENOBUFS: `head` is full.
 */
int http_connect_feed(struct http_connect *h, const void *data, size_t len, size_t *ret_used,
                      struct buf *head);

/* Appends the whole answer that says how the dial ended: 200 for a tunnel, 403, 502, 504, ... */
int http_connect_reply(const struct http_connect *h, enum dial_result result, const char *details,
                       struct buf *reply);
/* Appends the whole answer to a refused request, by h->status. */
int http_connect_refuse(const struct http_connect *h, struct buf *reply);
