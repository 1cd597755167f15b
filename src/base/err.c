#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/*
 * The text becomes one line that a terminal can show: it may quote what a stranger sent, and it
 * may have been cut within a character.
 */
static void store(struct err *err, const char *text)
{
    struct span rest = span_of(text);
    size_t n = 0;
    while (rest.len) {
        size_t len = utf8_char_len(rest);
        bool keep = len > 0 && !text_has_control(span_sub(rest, 0, len));
        if (len == 0)
            len = 1;
        if (n + (keep ? len : 1) >= sizeof(err->text))
            break;
        if (keep)
            memcpy(err->text + n, rest.p, len);
        else
            err->text[n] = rest.p[0] == '\n' ? ' ' : '?';
        n += keep ? len : 1;
        rest = span_sub(rest, len, rest.len);
    }
    err->text[n] = '\0';
}

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    if (err) {
        /* The arguments may point into the text that is there. */
        char text[sizeof(err->text) + 1];
        vsnprintf(text, sizeof(text), fmt, ap);
        err->code = code;
        store(err, text);
    }
    return code;
}

int(err_set)(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int(err_sys)(struct err *err, int code, const char *fmt, ...)
{
    char what[sizeof(err->text)], reason[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(err, code, "%s: %s", what, strerror_r(abs(code), reason, sizeof(reason)));
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (!err)
        return 0;
    char context[sizeof(err->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    return err_set(err, err->code, "%s: %s", context, err->text);
}

const char *err_name(int code)
{
    const char *name = strerrorname_np(abs(code));
    return name ? name : "EUNKNOWN";
}
