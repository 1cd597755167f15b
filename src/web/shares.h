#pragma once
/* Port shares as the API shows them. */
#include "api/share.h"
#include "web/links.h"

/* Whether it still counts at `now` (since 1970 UTC). */
bool share_counts(const struct port_share *share, usec_t now);
/* Its message; `speaks_tls`: the port was seen to. Borrows from `share`; free `ret->url`. */
void share_show(const struct web *web, const struct link_place *place,
                const struct port_share *share, bool speaks_tls, struct api_share *ret);
