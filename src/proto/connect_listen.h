#pragma once
/*
 * Reverse listeners. A `listen` request asks for one:
 *     /listen?network=tcp&bind=ADDR&port=PORT     without bind: 127.0.0.1 and ::1; port 0: any
 *     /listen?network=unix&path=PATH
 * Its answer's body is held open and consists of lines:
 *     bound PORT                       first, once; PORT 0 for a Unix socket
 *     accepted ID ORIGINATOR           a connection waits; ORIGINATOR is host:port or "-"
 *     withdrawn ID                     it does not wait any longer
 * An `accept` request takes a connection:
 *     /accept?id=ID
 * The listener lives as long as the `listen` request.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "model/id.h"
#include "proto/connect_unix.h"
#include "proto/hostport.h"

struct listen_request {
    char bind[HOST_SIZE];      /* address, "localhost" or "*"; empty: none given */
    uint16_t port;             /* 0: any */
    char path[UNIX_PATH_SIZE]; /* not empty: a Unix socket, and the other fields do not count */
};

/* Appends the path. 0 or -ENOBUFS. */
int listen_request_format(const struct listen_request *req, struct buf *dst);
/* 0; -ENOENT: another path; -EINVAL: broken. */
int listen_request_parse(struct span path, struct listen_request *ret);

int accept_request_format(const struct id *id, struct buf *dst);
int accept_request_parse(struct span path, struct id *ret);

enum listen_event_kind { LISTEN_BOUND, LISTEN_ACCEPTED, LISTEN_WITHDRAWN };

struct listen_event {
    enum listen_event_kind kind;
    uint16_t port;                  /* LISTEN_BOUND */
    struct id id;                   /* LISTEN_ACCEPTED, LISTEN_WITHDRAWN */
    char originator[HOSTPORT_SIZE]; /* LISTEN_ACCEPTED; empty: not known */
};

enum { LISTEN_LINE_MAX = 512 }; /* bytes of a line, with its newline */

/* Appends the line. 0 or -ENOBUFS. */
int listen_event_format(const struct listen_event *event, struct buf *dst);
/*
 * Reads the next line of `data`, all bytes that were not used yet. 1: an event; 0: more bytes are
 * needed; -EPROTO: broken. *ret_used bytes are used up; lines of unknown kinds are skipped.
 */
int listen_event_next(const void *data, size_t len, size_t *ret_used, struct listen_event *ret);
