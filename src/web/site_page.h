#pragma once
/* The text of those pages. */
#include "base/buf.h"

struct exchange;
struct web;

struct login_form {
    const char *user;  /* as it was typed; "" at first */
    const char *next;  /* where to go afterwards: a path here; "" for "/" */
    const char *app;   /* the host name of the app that asks for it; "": none */
    const char *error; /* why it did not work; NULL: nothing was tried */
};

/* Append a whole page. -ENOBUFS when it does not fit. */
int site_page_home(const struct web *web, const char *user, struct buf *dst);
int site_page_login(const struct web *web, const struct login_form *form, struct buf *dst);

/* Answers with a page and counts it. */
void site_page_send(struct web *web, struct exchange *x, unsigned status, const struct buf *page);
