#include "cli/workspace_missing.h"

#include <errno.h>

#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/suggest.h"

int workspace_missing_error(const struct workspace_ref *ref, struct err *err)
{
    return err_set(err, -ENOENT, "there is no workspace '%s%s%s', or you may not see it",
                   ref->owner, ref->owner[0] ? "/" : "", ref->workspace);
}

char *workspace_missing_hint(const struct workspace_ref *ref, const char *me,
                             struct span workspaces)
{
    struct api_workspaces all;
    struct suggest owners = {0}, names = {0};
    char *hint = NULL;
    if (api_workspaces_read(workspaces, API_LENIENT, &all, NULL) < 0)
        return xstrdup("'adit list' shows those that there are");
    const char *owner = ref->owner[0] ? ref->owner : me;
    for (size_t i = 0; i < all.n_workspaces; i++)
        suggest_offer(&owners, owner, all.workspaces[i].ws.owner_name);
    for (size_t i = 0; i < all.n_workspaces; i++)
        if (owners.best && str_eq(all.workspaces[i].ws.owner_name, owners.best))
            suggest_offer(&names, ref->workspace, all.workspaces[i].ws.name);
    if (names.best && str_eq(owners.best, me))
        hint = xasprintf("did you mean '%s'?", names.best);
    else if (names.best)
        hint = xasprintf("did you mean '%s/%s'?", owners.best, names.best);
    api_workspaces_release(&all);
    return hint ? hint : xstrdup("'adit list' shows those that there are");
}
