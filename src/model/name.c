#include "model/name.h"

#include <errno.h>

#include "base/cleanup.h"

enum { QUOTED_MAX = 48 }; /* of the input in an error's text */

static const char *const kind_texts[] = {
    [NAME_USER] = "user name",
    [NAME_WORKSPACE] = "workspace name",
    [NAME_TEMPLATE] = "template name",
    [NAME_AGENT] = "agent name",
    [NAME_SLUG] = "slug",
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* Digits, or digits and an "s": what stands for a port in an app's host name. */
static bool looks_like_port(struct span text)
{
    if (text.len > 1 && text.p[text.len - 1] == 's')
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return true;
}

/* What is wrong with a name in lower case; NULL: nothing. */
static const char *complaint(enum name_kind kind, struct span text)
{
    if (text.len == 0)
        return "it is empty";
    if (text.len > NAME_MAX_LEN)
        return "it is longer than 32 characters";
    for (size_t i = 0; i < text.len; i++)
        if (!is_name_char(text.p[i]))
            return "only letters a-z, digits and hyphens are allowed";
    if (text.p[0] == '-' || text.p[text.len - 1] == '-')
        return "it starts or ends with a hyphen";
    if (span_find_str(text, "--") >= 0)
        return "it has two hyphens in a row";
    if (kind == NAME_SLUG && looks_like_port(text))
        return "a number, or a number followed by \"s\", stands for a port";
    return NULL;
}

int name_parse(enum name_kind kind, struct span text, char ret_name[static NAME_SIZE],
               struct err *err)
{
    char folded[NAME_SIZE + 1];
    str_copy_span(folded, sizeof(folded), text);
    str_lower(folded);
    /* One character beyond the limit is kept, so that the length is found wrong. */
    struct span name = {folded, text.len < sizeof(folded) ? text.len : sizeof(folded) - 1};
    const char *wrong = complaint(kind, name);
    if (wrong) {
        int shown = text.len < QUOTED_MAX ? (int)text.len : QUOTED_MAX;
        return err_set(err, -EINVAL, "%s \"%.*s%s\": %s", kind_texts[kind], shown,
                       text.len ? text.p : "", text.len > QUOTED_MAX ? "..." : "", wrong);
    }
    str_copy(ret_name, NAME_SIZE, folded);
    return 0;
}

bool name_valid(enum name_kind kind, struct span text)
{
    return !complaint(kind, text);
}
