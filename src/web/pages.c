#include "web/pages.h"

#include <string.h>

#include "base/cleanup.h"
#include "http/exchange.h"
#include "web/answer.h"

static const char page_css[] =
    ":root { color-scheme: light dark; --ink: #1c2124; --paper: #f5f4f0; --soft: #eeece6;\n"
    "  --surface: #fff; --quiet: #575f66; --line: #dcd9d1; --strong: #8a8f92; --accent: #0c665e;\n"
    "  --on-accent: #fff; --bad: #b3261e; --bad-soft: #fdeae8 }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e7e5e0; --paper: #121517; --soft: #23282c; --surface: #1a1e21;\n"
    "    --quiet: #a3abb1; --line: #30363b; --strong: #737b81; --accent: #63cabb;\n"
    "    --on-accent: #05221e; --bad: #ffa49b; --bad-soft: #3c1d1a }\n"
    "}\n"
    "body { margin: 0; background: var(--paper); color: var(--ink);\n"
    "  font: 0.9375rem/1.5 system-ui, \"Segoe UI\", Roboto, \"Noto Sans\", \"Liberation Sans\",\n"
    "  sans-serif }\n"
    "header, main { max-width: 40rem; margin: 0 auto; padding: 1.25rem }\n"
    "header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem }\n"
    "header a { display: flex; align-items: center; gap: 0.6rem; font-size: 1.25rem;\n"
    "  font-weight: 700; letter-spacing: -0.02em; color: inherit; text-decoration: none }\n"
    "header img { width: 1.9rem; height: 1.9rem }\n"
    "header form, header .go { margin-left: auto }\n"
    "header p { margin: 0 }\n"
    "form p:last-child { margin-bottom: 0 }\n"
    "h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem }\n"
    "h2 { font-size: 1.0625rem; margin: 2rem 0 0.5rem }\n"
    "pre { background: var(--soft); padding: 1rem; border-radius: 0.45rem; overflow-x: auto }\n"
    "code { font: 0.9rem/1.5 ui-monospace, monospace }\n"
    "label { display: block; font-weight: 600; margin-bottom: 0.3rem }\n"
    "input, button, .go { font: inherit; min-height: 2.4rem; padding: 0.35rem 0.75rem;\n"
    "  border-radius: 0.45rem; border: 1px solid var(--strong); background: var(--surface);\n"
    "  color: var(--ink) }\n"
    "input { width: 100%; box-sizing: border-box }\n"
    "button, .go { background: var(--soft); cursor: pointer; text-decoration: none }\n"
    ".main { background: var(--accent); border-color: var(--accent); color: var(--on-accent);\n"
    "  font-weight: 600 }\n"
    ".card { max-width: 22rem; margin: 6vh auto 2rem; padding: 1.75rem; border-radius: 0.65rem;\n"
    "  border: 1px solid var(--line); background: var(--surface);\n"
    "  box-shadow: 0 1px 2px rgb(0 0 0 / 6%), 0 4px 16px rgb(0 0 0 / 6%) }\n"
    ".card button { width: 100%; margin-top: 0.5rem }\n"
    ".for { color: var(--quiet); overflow-wrap: anywhere; margin-top: -0.5rem }\n"
    ".error { background: var(--bad-soft); color: var(--bad); padding: 0.6rem 0.9rem;\n"
    "  border-radius: 0.45rem }\n"
    ":focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }\n"
    "footer { margin-top: 3rem; color: var(--quiet); font-size: 0.875rem }\n"
    ".card + footer { text-align: center }\n";

/* The timbered mouth of an adit, rails, and a lamp at the end. */
static const char icon_svg[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">"
    "<rect width=\"32\" height=\"32\" rx=\"7\" fill=\"#16312e\"/>"
    "<path fill=\"#f0b254\" d=\"M11 26v-9a5 5 0 0 1 10 0v9z\"/>"
    "<path fill=\"none\" stroke=\"#16312e\" stroke-width=\"1.1\" "
    "d=\"M14.6 19.5L12.6 26M17.4 19.5l2 6.5M13.9 22h4.2M13 25h6\"/>"
    "<path fill=\"none\" stroke=\"#5cc4b6\" stroke-width=\"3\" stroke-linecap=\"round\" "
    "d=\"M6.5 26V16a9.5 9.5 0 0 1 19 0v10\"/></svg>\n";

static const struct page pages[] = {
    {"/assets/page.css", "text/css; charset=utf-8", page_css},
    {"/assets/icon.svg", "image/svg+xml", icon_svg},
};

const struct page *web_pages(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(pages);
    return pages;
}

unsigned page_answer(struct exchange *x, const struct page *page)
{
    answer_set_fields(x);
    headers_set(&x->response, "Content-Type", page->type);
    headers_set(&x->response, "Cache-Control", "no-cache");
    headers_set(&x->response, "Content-Security-Policy",
                "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'");
    exchange_respond_static(x, 200, page->text, strlen(page->text));
    return 200;
}
