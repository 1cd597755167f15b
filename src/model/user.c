#include "model/user.h"

#include <errno.h>

#include "base/text.h"

/* RFC 5321 section 4.1.2, Dot-string, without the quoted form; bytes of UTF-8 pass (RFC 6531). */
static bool is_local_char(char c)
{
    return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && span_find(SPAN("!#$%&'*+-/=?^_`{|}~."), c) >= 0);
}

static bool local_part_valid(struct span local)
{
    if (local.len == 0 || local.len > 64 || local.p[0] == '.' || local.p[local.len - 1] == '.')
        return false;
    for (size_t i = 0; i < local.len; i++)
        if (!is_local_char(local.p[i]))
            return false;
    return span_find_str(local, "..") < 0;
}

static bool domain_valid(struct span domain)
{
    struct span rest = domain, label;
    if (domain.len == 0)
        return false;
    while (span_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > 63 || label.p[0] == '-' || label.p[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++) {
            unsigned char c = (unsigned char)label.p[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c >= 0x80))
                return false;
        }
    }
    return true;
}

int email_parse(struct span text, char ret_email[static EMAIL_SIZE], struct err *err)
{
    ptrdiff_t at = span_rfind(text, '@');
    if (text.len > EMAIL_MAX_LEN)
        return err_set(err, -EINVAL, "the e-mail address is longer than %d bytes", EMAIL_MAX_LEN);
    if (at < 0 || utf8_count(text) < 0 || text_has_control(text) ||
        !local_part_valid(span_sub(text, 0, (size_t)at)) ||
        !domain_valid(span_sub(text, (size_t)at + 1, text.len)))
        return err_set(err, -EINVAL, "\"%.*s\" is not an e-mail address", (int)text.len,
                       text.len ? text.p : "");
    str_copy_span(ret_email, EMAIL_SIZE, text);
    str_lower(ret_email + at + 1);
    return 0;
}

int display_text_parse(const char *what, struct span text, size_t max_len, char *ret_text,
                       struct err *err)
{
    text = span_trim(text);
    if (text.len > max_len)
        return err_set(err, -EINVAL, "the %s is longer than %zu bytes", what, max_len);
    if (utf8_count(text) < 0)
        return err_set(err, -EINVAL, "the %s is not valid UTF-8", what);
    if (text_has_control(text))
        return err_set(err, -EINVAL, "the %s has a control character in it", what);
    str_copy_span(ret_text, max_len + 1, text);
    return 0;
}
