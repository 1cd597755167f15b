#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59.999999Z */
#define YEAR_9999_END (253402300799 * USEC_PER_SEC + 999999)

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

/* A number with its leading zeros and what stands behind it. By hand: every record has a time. */
static char *put(char *dst, int n, int digits, char behind)
{
    for (int i = digits - 1; i >= 0; i--, n /= 10)
        dst[i] = (char)('0' + n % 10);
    dst[digits] = behind;
    return dst + digits + 1;
}

char *clock_format(usec_t realtime, char dst[static CLOCK_TEXT_LEN])
{
    /* Years beyond four digits have no RFC 3339 form. */
    if (realtime < 0)
        realtime = 0;
    if (realtime > YEAR_9999_END)
        realtime = YEAR_9999_END;
    time_t sec = (time_t)(realtime / USEC_PER_SEC);
    int msec = (int)(realtime % USEC_PER_SEC / USEC_PER_MSEC);
    struct tm tm;
    gmtime_r(&sec, &tm);
    char *p = put(dst, tm.tm_year + 1900, 4, '-');
    p = put(p, tm.tm_mon + 1, 2, '-');
    p = put(p, tm.tm_mday, 2, 'T');
    p = put(p, tm.tm_hour, 2, ':');
    p = put(p, tm.tm_min, 2, ':');
    p = put(p, tm.tm_sec, 2, '.');
    p = put(p, msec, 3, 'Z');
    *p = '\0';
    return dst;
}

/*
 * The numbers of "YYYY-MM-DDTHH:MM:SS", each at its fixed place: strptime() would also take
 * spaces and short numbers.
 */
static int parse_fields(const char *text, struct tm *tm)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    int v[6] = {0}, field = 0;
    for (size_t i = 0; shape[i]; i++) {
        if (shape[i] != 'd') {
            if (text[i] != shape[i])
                return -EINVAL;
            field++;
        } else if (text[i] < '0' || text[i] > '9') {
            return -EINVAL;
        } else {
            v[field] = v[field] * 10 + (text[i] - '0');
        }
    }
    *tm = (struct tm){.tm_year = v[0] - 1900,
                      .tm_mon = v[1] - 1,
                      .tm_mday = v[2],
                      .tm_hour = v[3],
                      .tm_min = v[4],
                      .tm_sec = v[5]};
    return (int)sizeof(shape) - 1;
}

/* timegm() carries over what is out of range ("February 30"); such a date is refused. */
static int to_seconds(const struct tm *tm, time_t *ret)
{
    struct tm same = *tm;
    time_t sec = timegm(&same);
    if (tm->tm_year < 70 || same.tm_mon != tm->tm_mon || same.tm_mday != tm->tm_mday ||
        same.tm_hour != tm->tm_hour || same.tm_min != tm->tm_min || same.tm_sec != tm->tm_sec)
        return -EINVAL;
    *ret = sec;
    return 0;
}

int clock_parse(const char *text, usec_t *ret)
{
    struct tm tm;
    time_t sec = 0;
    int n = parse_fields(text, &tm);
    if (n < 0 || to_seconds(&tm, &sec) < 0)
        return -EINVAL;
    const char *rest = text + n;
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
    *ret = (usec_t)sec * USEC_PER_SEC + fraction;
    return 0;
}
