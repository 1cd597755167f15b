#include "http/date.h"

#include <time.h>

enum { DATE_SIZE = 64 };

struct span http_date(usec_t now)
{
    static _Thread_local char text[DATE_SIZE];
    static _Thread_local size_t len;
    static _Thread_local time_t made_for;
    time_t second = (time_t)(now / USEC_PER_SEC);
    struct tm tm;
    if (len == 0 || second != made_for) {
        gmtime_r(&second, &tm);
        len = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        made_for = second;
    }
    return span_from(text, len);
}
