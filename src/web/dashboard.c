#include "web/dashboard.h"

#include "http/exchange.h"
#include "web/answer.h"
#include "web/dashboard_files.h"

bool dashboard_is_there(void)
{
    return dashboard_page.path != NULL;
}

static bool mentions(struct span list, const char *name)
{
    struct span piece;

    while (span_split(&list, ',', &piece)) {
        ptrdiff_t end = span_find(piece, ';');
        if (span_iis(span_trim(span_sub(piece, 0, end < 0 ? piece.len : (size_t)end)), name))
            return true;
    }
    return false;
}

bool dashboard_is_wanted(const struct exchange *x)
{
    return dashboard_is_there() && (span_is(x->method, "GET") || span_is(x->method, "HEAD")) &&
           mentions(headers_get(&x->headers, "Accept"), "text/html") &&
           !span_starts(x->path, "/api/") && !span_starts(x->path, "/assets/");
}

/* Whether the coding is listed and not refused by "q=0". */
static bool takes(const struct exchange *x, const char *coding)
{
    struct span list = headers_get(&x->headers, "Accept-Encoding"), piece;

    while (span_split(&list, ',', &piece)) {
        ptrdiff_t at = span_find(piece, ';');
        struct span name = span_trim(span_sub(piece, 0, at < 0 ? piece.len : (size_t)at));
        struct span weight =
            at < 0 ? SPAN("") : span_trim(span_sub(piece, (size_t)at + 1, piece.len));
        if (span_iis(name, coding))
            return !span_is(weight, "q=0") && !span_starts(weight, "q=0.0");
    }
    return false;
}

/* No inline script or style, nothing from elsewhere, no string that becomes a script. */
static void set_page_fields(struct headers *h)
{
    /* With no-referrer, browsers would send the log-out's form with the origin "null". */
    headers_set(h, "Referrer-Policy", "same-origin");
    headers_set(h, "X-Frame-Options", "DENY");
    headers_set(h, "Cross-Origin-Opener-Policy", "same-origin");
    headers_set(h, "Content-Security-Policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                "img-src 'self' data:; base-uri 'none'; form-action 'self'; "
                "frame-ancestors 'none'; require-trusted-types-for 'script'");
}

unsigned dashboard_answer(struct exchange *x, unsigned status, const struct dashboard_file *file)
{
    struct headers *h = &x->response;
    const struct dashboard_bytes *form = &file->plain;

    answer_set_fields(x);
    headers_set(h, "Content-Type", file->type);
    headers_set(h, "ETag", file->etag);
    headers_set(h, "Vary", "Accept-Encoding");
    headers_set(h, "Cache-Control",
                file == &dashboard_page ? "no-cache" : "public, max-age=31536000, immutable");
    if (file == &dashboard_page)
        set_page_fields(h);
    if (status == 200 && mentions(headers_get(&x->headers, "If-None-Match"), file->etag)) {
        exchange_respond(x, 304, NULL, 0);
        return 304;
    }
    if (takes(x, "br")) {
        headers_set(h, "Content-Encoding", "br");
        form = &file->brotli;
    } else if (takes(x, "gzip")) {
        headers_set(h, "Content-Encoding", "gzip");
        form = &file->gzip;
    }
    exchange_respond_static(x, status, form->data, form->len);
    return status;
}
