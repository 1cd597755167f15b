#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    if (err) {
        err->code = code;
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
    }
    return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    if (err) {
        char reason[128];
        size_t used = strlen(err->text);
        const char *text = strerror_r(abs(code), reason, sizeof(reason));
        snprintf(err->text + used, sizeof(err->text) - used, ": %s", text);
    }
    return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (!err)
        return 0;
    char inner[sizeof(err->text)];
    memcpy(inner, err->text, sizeof(inner));

    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->text))
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", inner);
    return err->code;
}

const char *err_name(int code)
{
    const char *name = strerrorname_np(abs(code));
    return name ? name : "EUNKNOWN";
}
