#pragma once
/*
 * What a person reads in place of an app: one accessible page, light and dark, that needs no
 * script, or JSON (api/error.h) for clients that accept nothing else. Each ends the exchange.
 */
#include <stdbool.h>
#include <stdint.h>

struct exchange;

struct page {
    unsigned status;
    const char *title;  /* also the heading */
    const char *reason; /* one or two sentences */
    const char *link;   /* URL of another way; NULL: none */
    const char *link_text;
    bool retry;  /* trying again may help */
    bool reload; /* and the page does so by itself until the answer is another one */
};

/* Answers with it. x->response may carry fields already. */
void page_send(struct exchange *x, const struct page *page, bool only_json);

/* 303 with no body to speak of; `location` is a valid field value. */
void page_redirect(struct exchange *x, unsigned status, const char *location);

extern const struct page page_not_found, page_log_in, page_offline, page_bad_host,
    page_port_by_path, page_paths_off, page_bad_hand_over, page_foreign_origin, page_busy,
    page_bad_request, page_internal;
