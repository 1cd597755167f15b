#include "cli/ssh_alias.h"

#include <errno.h>
#include <stdio.h>

static const char prefix[] = "adit.";

char *ssh_alias_format(const struct workspace_ref *ref, char dst[static SSH_ALIAS_SIZE])
{
    snprintf(dst, SSH_ALIAS_SIZE, "%s%s%s%s%s%s", prefix, ref->owner, ref->owner[0] ? "--" : "",
             ref->workspace, ref->agent[0] ? "." : "", ref->agent);
    return dst;
}

static int parse_parts(struct span text, struct workspace_ref *ref, struct err *err)
{
    int r = 0;
    size_t prefix_len = sizeof(prefix) - 1;
    if (!span_iis(span_sub(text, 0, prefix_len), prefix))
        return err_set(err, -EINVAL, "it does not begin with \"%s\"", prefix);
    text = span_sub(text, prefix_len, text.len);
    ptrdiff_t hyphens = span_find_str(text, "--");
    if (hyphens >= 0)
        r = name_parse(NAME_USER, span_sub(text, 0, (size_t)hyphens), ref->owner, err);
    if (hyphens >= 0)
        text = span_sub(text, (size_t)hyphens + 2, text.len);
    ptrdiff_t dot = span_find(text, '.');
    if (r == 0 && dot >= 0)
        r = name_parse(NAME_AGENT, span_sub(text, (size_t)dot + 1, text.len), ref->agent, err);
    if (r == 0)
        r = name_parse(NAME_WORKSPACE, span_sub(text, 0, dot < 0 ? text.len : (size_t)dot),
                       ref->workspace, err);
    return r;
}

int ssh_alias_parse(struct span text, struct workspace_ref *ret, struct err *err)
{
    struct workspace_ref ref = {0};
    int r = parse_parts(text, &ref, err);
    if (r < 0) {
        int shown = text.len < 110 ? (int)text.len : 110;
        err_wrap(err, "\"%.*s\" is not adit.[OWNER--]WORKSPACE[.AGENT]", shown,
                 text.len ? text.p : "");
        return r;
    }
    *ret = ref;
    return 0;
}
