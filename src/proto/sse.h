#pragma once
/*
 * Reading text/event-stream (WHATWG HTML, section 9.2.6): lines ended by LF, CR or CRLF, `event`
 * and `data` fields, an empty line that ends an event. Comments and other fields are passed over.
 * Pure, and bounded: an event that is longer than the ceiling ends the reading.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

struct sse_reader {
    struct buf line;
    struct buf name;
    struct buf data;
    bool has_data;
    bool after_cr; /* a LF now belongs to the CR before it */
    bool stopped;
};

/* `name`: "message" where the event has none. Both are borrowed. False: stop reading. */
typedef bool sse_event_fn(struct span name, struct span data, void *ud);

void sse_reader_init(struct sse_reader *r, size_t max_len);
void sse_reader_deinit(struct sse_reader *r);
/*
 * Takes the next bytes and tells the events that end in them. 0; -EMSGSIZE: longer than the
 * ceiling; -ECANCELED: `event` said so. Nothing is told after a failure.
 */
int sse_reader_feed(struct sse_reader *r, struct span bytes, sse_event_fn *event, void *ud);
