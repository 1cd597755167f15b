#include "cli/qr.h"

#include <errno.h>

#include <qrencode.h>

/* ISO/IEC 18004 wants four modules of margin; two are enough for cameras, and fit more terminals.
 */
enum { MARGIN = 2 };

/* Beyond the code all is light. */
static bool is_light(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return true;
    return !(code->data[y * code->width + x] & 1);
}

static const char *block(bool upper, bool lower)
{
    if (upper)
        return lower ? "\xe2\x96\x88" : "\xe2\x96\x80"; /* full, upper half */
    return lower ? "\xe2\x96\x84" : " ";                /* lower half */
}

int qr_print(FILE *f, const char *text, bool colour)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code)
        return -EMSGSIZE;
    for (int y = -MARGIN; y < code->width + MARGIN; y += 2) {
        fputs(colour ? "\033[40;97m" : "", f);
        for (int x = -MARGIN; x < code->width + MARGIN; x++)
            fputs(block(is_light(code, x, y), is_light(code, x, y + 1)), f);
        fputs(colour ? "\033[0m\n" : "\n", f);
    }
    QRcode_free(code);
    return 0;
}
