#include "api/user.h"
#include "base/span.h"
#include "web/handlers.h"
#include "web/instance.h"

/* What runs here, for a client that wants to know with whom it talks. */
void buildinfo_get(struct call *c)
{
    const struct web_options *o = &c->web->o;
    struct api_buildinfo info = {.protocol = "adit/1",
                                 .access_url = (char *)(uintptr_t)o->access_url,
                                 .wildcard_url = (char *)(uintptr_t)o->wildcard_url};

    str_copy(info.version, sizeof(info.version), o->version);
    call_answer(c, 200, &api_buildinfo_type, &info);
}
