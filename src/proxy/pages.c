#include "proxy/pages.h"

#include "api/error.h"
#include "base/buf.h"
#include "base/rand.h"
#include "base/span.h"
#include "base/text.h"
#include "http/exchange.h"
#include "proto/html.h"

enum { PAGE_MAX_LEN = 32 << 10, NONCE_LEN = 16 };

const struct page page_not_found = {
    .status = 404,
    .title = "Not found",
    .reason = "There is no such app here, or it is not shared with you.",
};
const struct page page_log_in = {
    .status = 401,
    .title = "Log in first",
    .reason = "This app is for people who are logged in.",
};
const struct page page_offline = {
    .status = 502,
    .title = "Workspace offline",
    .reason = "The agent of this workspace is not connected. The page opens by itself as soon as "
              "it is back.",
    .retry = true,
    .reload = true,
};
const struct page page_bad_host = {
    .status = 400,
    .title = "Not the name of an app",
    .reason = "This host name does not follow the form PORT--WORKSPACE--USER or "
              "APP--WORKSPACE--USER. Ports are numbers from 9 to 65535.",
};
const struct page page_port_by_path = {
    .status = 400,
    .title = "Ports have no path",
    .reason = "A port is opened by its own host name only; paths are for named apps.",
};
const struct page page_paths_off = {
    .status = 403,
    .title = "Path apps are turned off",
    .reason = "This server opens apps by their own host names only.",
};
const struct page page_bad_hand_over = {
    .status = 400,
    .title = "The log-in did not arrive",
    .reason = "It was used already, is too old, or was made for another app. Open the app again.",
    .retry = true,
};
const struct page page_foreign_origin = {
    .status = 403,
    .title = "Not from there",
    .reason = "A page of another person's app, or of another site, asked for this.",
};
const struct page page_busy = {
    .status = 503,
    .title = "Try again in a moment",
    .reason = "The server cannot open the app right now.",
    .retry = true,
};
const struct page page_bad_request = {
    .status = 400,
    .title = "Bad request",
    .reason = "The request did not arrive in a form that can be passed on.",
};
const struct page page_internal = {
    .status = 500,
    .title = "Something is wrong here",
    .reason = "The server could not read what it needs to open this app.",
    .retry = true,
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1d2125;--paper:#fbfbfa;--quiet:#5c636a;--link:#0b57a4;"
    "--on:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e4e0;--paper:#17191c;--quiet:#9aa1a8;"
    "--link:#8cc0f5;--on:#10151a}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.6 system-ui,sans-serif}"
    "main{max-width:36rem;margin:0 auto;padding:18vh 1.25rem 2rem}"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .75rem}p{margin:0 0 1rem}a{color:var(--link)}"
    ".go{display:inline-block;padding:.45rem 1rem;border-radius:.4rem;background:var(--link);"
    "color:var(--on);font-weight:600;text-decoration:none}"
    ":focus-visible{outline:2px solid var(--link);outline-offset:2px}"
    "footer{margin-top:3rem;color:var(--quiet);font-size:.875rem}";

/* Asks again until the answer is not this page's any more. */
static const char script[] =
    "setInterval(function(){fetch(location.href,{method:'HEAD',cache:'no-store',"
    "redirect:'manual'}).then(function(r){if(r.status!==502&&r.status!==503)"
    "location.reload()},function(){})},2000)";

static void append_head(struct buf *b, const struct page *page, const char *nonce)
{
    buf_append_str(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=\"color-scheme\" content=\"light dark\">\n"
                      "<meta name=\"robots\" content=\"noindex\">\n<title>");
    html_append(b, page->title);
    buf_appendf(b, "</title>\n<style nonce=\"%s\">%s</style>\n", nonce, style);
    if (page->reload)
        buf_append_str(b, "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n");
    buf_append_str(b, "</head>\n");
}

static void append_body(struct buf *b, const struct page *page, const char *nonce)
{
    buf_append_str(b, "<body>\n<main>\n<h1>");
    html_append(b, page->title);
    buf_append_str(b, "</h1>\n<p role=\"status\">");
    html_append(b, page->reason);
    buf_append_str(b, "</p>\n");
    if (page->link) {
        buf_append_str(b, "<p><a class=\"go\" href=\"");
        html_append(b, page->link);
        buf_append_str(b, "\">");
        html_append(b, page->link_text);
        buf_append_str(b, "</a></p>\n");
    }
    if (page->retry)
        buf_appendf(b, "<p><a%s href=\"\">Try again</a></p>\n", page->link ? "" : " class=\"go\"");
    buf_appendf(b, "<footer>adit &middot; %u</footer>\n</main>\n", page->status);
    if (page->reload)
        buf_appendf(b, "<script nonce=\"%s\">%s</script>\n", nonce, script);
    buf_append_str(b, "</body>\n</html>\n");
}

/* The 404 page has to be the same, byte for byte, every time: no nonce that changes. */
static void make_nonce(const struct page *page, char dst[static BASE64URL_LEN(NONCE_LEN)])
{
    unsigned char random[NONCE_LEN] = {0};
    if (page->reload)
        rand_bytes(random, sizeof(random));
    base64url_encode(random, sizeof(random), dst);
}

static void set_fields(struct exchange *x, const struct page *page)
{
    struct headers *h = &x->response;
    headers_set(h, "Cache-Control", "no-store");
    headers_set(h, "X-Content-Type-Options", "nosniff");
    headers_set(h, "Referrer-Policy", "no-referrer");
    if (page->status == 502 || page->status == 503)
        headers_set(h, "Retry-After", "5");
    if (page->status == 401)
        headers_set(h, "WWW-Authenticate", "Bearer realm=\"adit\"");
}

static void send_json(struct exchange *x, const struct page *page)
{
    struct buf body = BUF_INIT(PAGE_MAX_LEN);
    headers_set(&x->response, "Content-Type", "application/json");
    api_error_build(page->title, page->reason, &body);
    buf_append_byte(&body, '\n');
    exchange_respond(x, page->status, buf_data(&body), body.len);
    buf_deinit(&body);
}

void page_send(struct exchange *x, const struct page *page, bool only_json)
{
    struct buf body = BUF_INIT(PAGE_MAX_LEN);
    char nonce[BASE64URL_LEN(NONCE_LEN)];

    set_fields(x, page);
    if (only_json) {
        send_json(x, page);
        return;
    }
    make_nonce(page, nonce);
    headers_set(&x->response, "Content-Type", "text/html; charset=utf-8");
    headers_set(&x->response, "X-Frame-Options", "SAMEORIGIN");
    headers_addf(&x->response, "Content-Security-Policy",
                 "default-src 'none'; style-src 'nonce-%s'; %s%s%sbase-uri 'none'; "
                 "form-action 'none'",
                 nonce, page->reload ? "connect-src 'self'; script-src 'nonce-" : "",
                 page->reload ? nonce : "", page->reload ? "'; " : "");
    append_head(&body, page, nonce);
    append_body(&body, page, nonce);
    exchange_respond(x, page->status, buf_data(&body), body.len);
    buf_deinit(&body);
}

void page_redirect(struct exchange *x, unsigned status, const char *location)
{
    headers_set(&x->response, "Cache-Control", "no-store");
    headers_set(&x->response, "Referrer-Policy", "no-referrer");
    headers_set(&x->response, "Location", location);
    exchange_respond(x, status, NULL, 0);
}
