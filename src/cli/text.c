#include "cli/text.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/span.h"

char *text_ago(usec_t when, usec_t now, char dst[static TEXT_SIZE])
{
    long long sec = (now - when) / USEC_PER_SEC;
    if (when == 0)
        str_copy(dst, TEXT_SIZE, "never");
    else if (sec < 10)
        str_copy(dst, TEXT_SIZE, "just now");
    else if (sec < 120)
        snprintf(dst, TEXT_SIZE, "%lld s ago", sec);
    else if (sec < 2 * 3600)
        snprintf(dst, TEXT_SIZE, "%lld min ago", sec / 60);
    else if (sec < 48 * 3600)
        snprintf(dst, TEXT_SIZE, "%lld h ago", sec / 3600);
    else
        snprintf(dst, TEXT_SIZE, "%lld days ago", sec / 86400);
    return dst;
}

char *text_date(usec_t when, char dst[static TEXT_SIZE])
{
    char full[CLOCK_TEXT_LEN];
    if (when == 0)
        str_copy(dst, TEXT_SIZE, "never");
    else
        str_copy_span(dst, TEXT_SIZE, span_sub(span_of(clock_format(when, full)), 0, 10));
    return dst;
}

char *text_moment(usec_t when, char dst[static TEXT_SIZE])
{
    char full[CLOCK_TEXT_LEN];
    clock_format(when, full);
    if (when == 0)
        str_copy(dst, TEXT_SIZE, "never");
    else
        snprintf(dst, TEXT_SIZE, "%.10s %.8s UTC", full, full + sizeof("2026-01-31"));
    return dst;
}

char *text_bytes(double bytes, char dst[static TEXT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        bytes /= 1024;
        unit++;
    }
    snprintf(dst, TEXT_SIZE, unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes,
             units[unit]);
    return dst;
}

char *text_duration(usec_t duration, char dst[static TEXT_SIZE])
{
    double ms = (double)duration / 1000;
    if (ms < 0.1)
        snprintf(dst, TEXT_SIZE, "%.2f ms", ms);
    else if (ms < 10)
        snprintf(dst, TEXT_SIZE, "%.1f ms", ms);
    else if (ms < 1000)
        snprintf(dst, TEXT_SIZE, "%.0f ms", ms);
    else
        snprintf(dst, TEXT_SIZE, "%.1f s", ms / 1000);
    return dst;
}
