#include "model/workspace_ref.h"

#include <stdio.h>

static int parse_parts(struct span text, struct workspace_ref *ref, struct err *err)
{
    int r;
    ptrdiff_t slash = span_find(text, '/');
    if (slash >= 0) {
        if ((r = name_parse(NAME_USER, span_sub(text, 0, (size_t)slash), ref->owner, err)) < 0)
            return r;
        text = span_sub(text, (size_t)slash + 1, text.len);
    }
    ptrdiff_t dot = span_find(text, '.');
    if (dot >= 0) {
        struct span agent = span_sub(text, (size_t)dot + 1, text.len);
        if ((r = name_parse(NAME_AGENT, agent, ref->agent, err)) < 0)
            return r;
        text = span_sub(text, 0, (size_t)dot);
    }
    return name_parse(NAME_WORKSPACE, text, ref->workspace, err);
}

int workspace_ref_parse(struct span text, struct workspace_ref *ret, struct err *err)
{
    struct workspace_ref ref = {0};
    int r = parse_parts(text, &ref, err);
    if (r < 0) {
        int shown = text.len < 110 ? (int)text.len : 110;
        err_wrap(err, "\"%.*s\" is not [owner/]workspace[.agent]", shown, text.len ? text.p : "");
        return r;
    }
    *ret = ref;
    return 0;
}

char *workspace_ref_format(const struct workspace_ref *ref, char dst[static WORKSPACE_REF_SIZE])
{
    snprintf(dst, WORKSPACE_REF_SIZE, "%s%s%s%s%s", ref->owner, ref->owner[0] ? "/" : "",
             ref->workspace, ref->agent[0] ? "." : "", ref->agent);
    return dst;
}
