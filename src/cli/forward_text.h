#pragma once
/* Forwards and their events as text and JSON. */
#include <jansson.h>

#include "forward/forwarder.h"

/* {"network","bind","local","host","remote"}: null for what is not there. */
json_t *forward_text_json(const struct forward *forward);

/* "127.0.0.1:8080 -> localhost:80"; `address`: where it listens, NULL: as it was asked for. */
enum { FORWARD_TEXT_SIZE = 720 };
char *forward_text_line(const struct forward *forward, const char *address,
                        char dst[static FORWARD_TEXT_SIZE]);

/* The event as a JSON object with "time" (RFC 3339) and "event" first. */
json_t *forward_text_event_json(const struct forward_event *event, usec_t now);
/* An object that begins with "time" and "event". */
json_t *forward_text_named_event(const char *name, usec_t now);
/* The event as a line for people. Returns `dst`. */
enum { EVENT_TEXT_SIZE = 1200 };
char *forward_text_event_line(const struct forward_event *event, char dst[static EVENT_TEXT_SIZE]);
