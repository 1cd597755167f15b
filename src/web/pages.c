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
    "  --quiet: #5c636a; --line: #c9c6c0; --accent: #0b57a4; --on-accent: #fff;\n"
    "  --bad: #b3261e }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e6e4e0; --paper: #17191c; --soft: #25282d; --quiet: #9aa1a8;\n"
    "    --line: #4a4f57; --accent: #8cc0f5; --on-accent: #10151a; --bad: #ffb4ab }\n"
    "}\n"
    "body { margin: 0; background: var(--paper); color: var(--ink);\n"
    "  font: 1rem/1.6 system-ui, sans-serif }\n"
    "header, main { max-width: 40rem; margin: 0 auto; padding: 1.25rem }\n"
    "header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem }\n"
    "header a { font-size: 1.15rem; font-weight: 700; color: inherit; text-decoration: none }\n"
    "header img { width: 1.5rem; height: 1.5rem; vertical-align: -0.3rem; margin-right: 0.5rem }\n"
    "header form, header .go { margin-left: auto }\n"
    "header p { margin: 0 }\n"
    "form p:last-child { margin-bottom: 0 }\n"
    "h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem }\n"
    "h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem }\n"
    "pre { background: var(--soft); padding: 1rem; border-radius: 0.4rem; overflow-x: auto }\n"
    "code { font: 0.9rem/1.5 ui-monospace, monospace }\n"
    "label { display: block; font-weight: 600; margin-bottom: 0.25rem }\n"
    "input, button, .go { font: inherit; padding: 0.45rem 0.8rem; border-radius: 0.4rem;\n"
    "  border: 1px solid var(--quiet); background: var(--paper); color: var(--ink) }\n"
    "input { width: 100%; box-sizing: border-box }\n"
    "button, .go { background: var(--soft); cursor: pointer; text-decoration: none }\n"
    ".main { background: var(--accent); border-color: var(--accent); color: var(--on-accent);\n"
    "  font-weight: 600 }\n"
    ".card { max-width: 22rem; margin: 2rem auto; padding: 1.5rem; border-radius: 0.6rem;\n"
    "  border: 1px solid var(--line) }\n"
    ".card button { width: 100% }\n"
    ".for { color: var(--quiet); overflow-wrap: anywhere }\n"
    ".error { border-left: 0.25rem solid var(--bad); color: var(--bad); padding-left: 0.75rem }\n"
    ":focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }\n"
    "footer { margin-top: 3rem; color: var(--quiet); font-size: 0.875rem }\n"
    ".card + footer { text-align: center }\n";

/* The mouth of a tunnel. */
static const char icon_svg[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">"
    "<rect width=\"32\" height=\"32\" rx=\"7\" fill=\"#0b57a4\"/>"
    "<path fill=\"#fff\" d=\"M6 26V16a10 10 0 0 1 20 0v10h-6V16a4 4 0 0 0-8 0v10z\"/></svg>\n";

static const struct page pages[] = {
    {"/assets/page.css", "text/css; charset=utf-8", page_css},
    {"/assets/icon.svg", "image/svg+xml", icon_svg},
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
