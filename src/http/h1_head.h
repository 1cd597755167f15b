#pragma once
/*
 * Heads of HTTP/1 messages (RFC 9112 sections 2-5): pure, bytes in, struct out. Only what has one
 * reading passes.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct headers;

struct h1_limits {
    size_t first_line;   /* bytes of the request or status line */
    size_t header_bytes; /* bytes of all field lines */
    size_t header_count;
};

/* How far a head that is coming in has been looked at. Zero it for each head. */
struct h1_scan {
    size_t line;     /* where the unfinished line starts */
    size_t searched; /* no LF before this */
    size_t fields;   /* where the first field line starts; 0: not known yet */
    size_t count;    /* field lines seen */
};

enum h1_scan_result {
    H1_SCAN_MORE,
    H1_SCAN_DONE,
    H1_SCAN_BAD,       /* 400 */
    H1_SCAN_LONG_LINE, /* 414 */
    H1_SCAN_TOO_LARGE, /* 431 */
};

/*
 * Looks for the head's end in `data`, all bytes of it so far. *ret_len on H1_SCAN_DONE: bytes of
 * the head with its empty line. Line ends other than CRLF are found as soon as they come.
 */
enum h1_scan_result h1_scan(struct h1_scan *scan, struct span data, const struct h1_limits *limits,
                            size_t *ret_len);
/* The same for a trailer section, which may be just an empty line. */
enum h1_scan_result h1_scan_trailers(struct h1_scan *scan, struct span data,
                                     const struct h1_limits *limits, size_t *ret_len);

enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_EOF };

struct h1_head {
    struct span method, target; /* requests */
    unsigned status;            /* responses */
    struct span reason;
    unsigned minor;
    enum h1_framing framing;
    int64_t content_length; /* value of the field; -1: there is none */
    bool keep_alive;
    bool upgrade; /* Connection has `upgrade`, and there is an Upgrade field */
};

/*
 * A whole head (as h1_scan has found it), whose memory the spans in *ret and `headers`
 * (initialised by the caller) borrow. 0, or the status to refuse it with: 400, 431, 501 (a method
 * that llhttp does not know), 505.
 */
unsigned h1_parse_request(struct span head, struct h1_head *ret, struct headers *headers);
/*
 * The same for the answer to a request: `method` decides about its body. 0, or -EPROTO.
 */
int h1_parse_response(struct span head, struct span method, struct h1_head *ret,
                      struct headers *headers);
/* Field lines and the empty line. 0, or -EPROTO; fields that frame or route are refused. */
int h1_parse_trailers(struct span section, struct headers *trailers);

struct h1_target {
    struct span path;
    struct span query; /* p is NULL when there is no '?' */
    struct span authority;
};
/*
 * Checks Host against the target (RFC 9112 section 3.2) and takes the target apart. 0 or 400.
 * `authority`: the value of Host, or of CONNECT's target; empty when HTTP/1.0 gave none.
 */
unsigned h1_parse_target(const struct h1_head *head, const struct headers *headers,
                         struct h1_target *ret);
