#include "proto/html.h"

int html_append(struct buf *b, const char *text)
{
    int r = 0;

    for (; *text && r == 0; text++) {
        switch (*text) {
        case '<':
            r = buf_append_str(b, "&lt;");
            break;
        case '>':
            r = buf_append_str(b, "&gt;");
            break;
        case '&':
            r = buf_append_str(b, "&amp;");
            break;
        case '"':
            r = buf_append_str(b, "&quot;");
            break;
        default:
            r = buf_append_byte(b, (unsigned char)*text);
        }
    }
    return r;
}
