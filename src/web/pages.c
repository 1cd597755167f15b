#include "web/pages.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"
#include "http/exchange.h"
#include "web/answer.h"
#include "web/web.h"

enum { PAGE_MAX_LEN = 64 << 10 };

static const char page_css[] =
    ":root { color-scheme: light dark; --ink: #1d2125; --paper: #fbfbfa; --soft: #eceae6;\n"
    "  --quiet: #5c636a }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e6e4e0; --paper: #17191c; --soft: #25282d; --quiet: #9aa1a8 }\n"
    "}\n"
    "body { margin: 0; background: var(--paper); color: var(--ink);\n"
    "  font: 1rem/1.6 system-ui, sans-serif }\n"
    "main { max-width: 40rem; margin: 0 auto; padding: 3rem 1.25rem }\n"
    "h1 { font-size: 2rem; margin: 0 0 1rem }\n"
    "h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem }\n"
    "pre { background: var(--soft); padding: 1rem; border-radius: 0.4rem; overflow-x: auto }\n"
    "code { font: 0.9rem/1.5 ui-monospace, monospace }\n"
    "label { display: block; font-weight: 600 }\n"
    "input, button, .go { font: inherit; padding: 0.4rem 0.7rem; border: 1px solid var(--quiet);\n"
    "  border-radius: 0.4rem; background: var(--paper); color: var(--ink) }\n"
    "input { width: 100%; box-sizing: border-box; max-width: 22rem }\n"
    "button, .go { background: var(--soft); cursor: pointer; text-decoration: none }\n"
    ".error { border-left: 0.25rem solid #c0392b; padding-left: 0.75rem }\n"
    ":focus-visible { outline: 2px solid var(--ink); outline-offset: 2px }\n"
    "footer { margin-top: 3rem; color: var(--quiet); font-size: 0.875rem }\n";

static const struct page pages[] = {
    {"/assets/page.css", "text/css; charset=utf-8", page_css},
};

const struct page *web_pages(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(pages);
    return pages;
}

static void append_escaped(struct buf *b, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            buf_append_str(b, "&lt;");
            break;
        case '&':
            buf_append_str(b, "&amp;");
            break;
        case '"':
            buf_append_str(b, "&quot;");
            break;
        default:
            buf_append_byte(b, (unsigned char)*text);
        }
    }
}

static void fill(struct buf *b, struct span text, const struct web_options *o)
{
    static const char url[] = "@URL@", version[] = "@VERSION@";

    while (text.len > 0) {
        ptrdiff_t at = span_find(text, '@');
        size_t skip = 0;

        buf_append(b, text.p, at < 0 ? text.len : (size_t)at);
        if (at < 0)
            return;
        text = span_sub(text, (size_t)at, text.len);
        if (span_starts(text, url)) {
            append_escaped(b, o->access_url);
            skip = sizeof(url) - 1;
        } else if (span_starts(text, version)) {
            append_escaped(b, o->version);
            skip = sizeof(version) - 1;
        } else {
            buf_append_byte(b, '@');
            skip = 1;
        }
        text = span_sub(text, skip, text.len);
    }
}

unsigned page_answer(struct exchange *x, const struct page *page, const struct web_options *o)
{
    struct buf body = BUF_INIT(PAGE_MAX_LEN);

    answer_set_fields(x);
    headers_set(&x->response, "Content-Type", page->type);
    headers_set(&x->response, "Cache-Control", "no-cache");
    headers_set(&x->response, "Content-Security-Policy",
                "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'");
    fill(&body, span_of(page->text), o);
    exchange_respond(x, 200, buf_data(&body), body.len);
    buf_deinit(&body);
    return 200;
}
