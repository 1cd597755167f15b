#pragma once
/* Shares as the API shows them. */
#include "api/share.h"
#include "web/links.h"

/* A port's message; `speaks_tls`: it was seen to. Borrows from `share`; free `ret->url`. */
void share_show_port(const struct web *web, const struct link_place *place,
                     const struct share *share, bool speaks_tls, struct api_share *ret);
/* An app's; `app` NULL: the template has it no longer. Borrows from `share`; free `ret->url`. */
void share_show_app(const struct web *web, const struct link_place *place,
                    const struct share *share, const struct app *app, struct api_share *ret);
