#include "web/site_page.h"

#include "http/exchange.h"
#include "proto/html.h"
#include "web/answer.h"
#include "web/counters.h"
#include "web/instance.h"

static int head(struct buf *b, const char *title)
{
    return buf_appendf(b,
                       "<!doctype html>\n"
                       "<html lang=\"en\">\n"
                       "<head>\n"
                       "<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n"
                       "<title>%s</title>\n"
                       "<link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\n"
                       "<link rel=\"stylesheet\" href=\"/assets/page.css\">\n"
                       "</head>\n"
                       "<body>\n"
                       "<header>\n"
                       "<a href=\"/\"><img src=\"/assets/icon.svg\" alt=\"\">adit</a>\n",
                       title);
}

static int start(struct buf *b)
{
    return buf_append_str(b, "</header>\n<main>\n");
}

static int foot(struct buf *b, const struct web *web)
{
    return buf_append_str(b, "<footer>adit ") | html_append(b, web->o.version) |
           buf_append_str(b, "</footer>\n</main>\n</body>\n</html>\n");
}

static int who(struct buf *b, const char *user)
{
    if (!*user)
        return buf_append_str(b, "<a class=\"go main\" href=\"/login\">Log in</a>\n");
    return buf_append_str(b,
                          "<form method=\"post\" action=\"/logout\">\n<p>Logged in as <strong>") |
           html_append(b, user) |
           buf_append_str(b, "</strong> <button type=\"submit\">Log out</button></p>\n</form>\n");
}

int site_page_home(const struct web *web, const char *user, struct buf *b)
{
    return head(b, "adit") | who(b, user) | start(b) |
           buf_append_str(b, "<h1>The way to the ports of remote workspaces</h1>\n"
                             "<p>Development servers, notebooks, databases, debuggers: use the "
                             "<code>adit</code> program on your own machine.</p>\n"
                             "<pre><code>adit login ") |
           html_append(b, web->o.access_url) |
           buf_append_str(b, "\nadit list\nadit port-forward WORKSPACE --tcp 8080</code></pre>\n"
                             "<h2>In the browser</h2>\n"
                             "<p>A port of a workspace that speaks HTTP has a URL of its own:</p>\n"
                             "<pre><code>adit open WORKSPACE 8080</code></pre>\n") |
           (*user ? 0
                  : buf_append_str(b, "<p>The first person to log in to a new server by "
                                      "<code>adit login</code> becomes its administrator.</p>\n")) |
           foot(b, web);
}

int site_page_login(const struct web *web, const struct login_form *form, struct buf *b)
{
    int r = head(b, "Log in - adit") | start(b) |
            buf_append_str(b, "<div class=\"card\">\n<h1>Log in</h1>\n");

    if (*form->app)
        r |= buf_append_str(b, "<p class=\"for\">to open <strong>") | html_append(b, form->app) |
             buf_append_str(b, "</strong></p>\n");
    if (form->error)
        r |= buf_append_str(b, "<p class=\"error\" role=\"alert\" id=\"error\">") |
             html_append(b, form->error) | buf_append_str(b, "</p>\n");
    r |= buf_append_str(b, "<form method=\"post\" action=\"/login\">\n"
                           "<input type=\"hidden\" name=\"next\" value=\"") |
         html_append(b, form->next) |
         buf_append_str(b, "\">\n<p><label for=\"user\">Name</label>\n"
                           "<input id=\"user\" name=\"user\" autocomplete=\"username\" "
                           "autocapitalize=\"none\" spellcheck=\"false\" required value=\"") |
         html_append(b, form->user) |
         buf_appendf(b,
                     "\"%s></p>\n<p><label for=\"password\">Password</label>\n"
                     "<input id=\"password\" name=\"password\" type=\"password\" "
                     "autocomplete=\"current-password\" required%s%s></p>\n"
                     "<p><button class=\"main\" type=\"submit\">Log in</button></p>\n</form>\n"
                     "</div>\n",
                     *form->user ? "" : " autofocus", *form->user ? " autofocus" : "",
                     form->error ? " aria-describedby=\"error\"" : "");
    return r | foot(b, web);
}

void site_page_send(struct web *web, struct exchange *x, unsigned status, const struct buf *page)
{
    const struct app_site *apps = web->o.apps;

    answer_set_fields(x);
    headers_set(&x->response, "Content-Type", "text/html; charset=utf-8");
    /* With no-referrer, browsers would send a form with the origin "null". */
    headers_set(&x->response, "Referrer-Policy", "same-origin");
    headers_set(&x->response, "X-Frame-Options", "DENY");
    headers_remove(&x->response, "Content-Security-Policy");
    /* Browsers hold what a form leads to, redirects and all, against form-action. */
    headers_addf(&x->response, "Content-Security-Policy",
                 "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
                 "form-action 'self'%s%s%s; frame-ancestors 'none'",
                 !apps         ? ""
                 : web->secure ? " https://*."
                               : " http://*.",
                 apps ? apps->pattern.domain : "", apps ? ":*" : "");
    exchange_respond(x, status, buf_data(page), page->len);
    web_counters_add(web->o.counters, WEB_ROUTE_PAGES, status);
}
