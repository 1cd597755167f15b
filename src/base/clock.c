#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static usec_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

usec_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

usec_t clock_realtime(void)
{
    return read_clock(CLOCK_REALTIME);
}

char *clock_format(usec_t realtime, char dst[static CLOCK_TEXT_LEN])
{
    time_t sec = (time_t)(realtime / USEC_PER_SEC);
    int msec = (int)(realtime % USEC_PER_SEC / USEC_PER_MSEC);
    struct tm tm;
    gmtime_r(&sec, &tm);
    size_t n = strftime(dst, CLOCK_TEXT_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(dst + n, CLOCK_TEXT_LEN - n, ".%03dZ", msec);
    return dst;
}

int clock_parse(const char *text, usec_t *ret)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return -EINVAL;
    usec_t fraction = 0;
    if (*rest == '.') {
        usec_t scale = USEC_PER_SEC / 10;
        if (rest[1] < '0' || rest[1] > '9')
            return -EINVAL;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            fraction += (*rest - '0') * scale;
    }
    if (strcmp(rest, "Z") != 0)
        return -EINVAL;
    *ret = (usec_t)timegm(&tm) * USEC_PER_SEC + fraction;
    return 0;
}
