#include "proxy/situation.h"

#include "http/headers.h"
#include "proto/header_rule.h"

/* Media ranges of Accept, parameters left out of account (RFC 9110 section 12.5.1). */
static void read_accept(const struct headers *request, bool *ret_json, bool *ret_page)
{
    struct span field, range;
    size_t at = 0;
    while (headers_next(request, "Accept", &at, &field))
        while (header_list_next(&field, &range)) {
            ptrdiff_t end = span_find(range, ';');
            range = span_trim(span_sub(range, 0, end < 0 ? range.len : (size_t)end));
            if (span_iis(range, "application/json") || span_ends(range, "+json"))
                *ret_json = true;
            else if (span_iis(range, "text/html") || span_iis(range, "text/*") ||
                     span_iis(range, "*/*") || span_iis(range, "application/xhtml+xml"))
                *ret_page = true;
        }
}

struct situation_asker situation_asker_of(struct span method, const struct headers *request,
                                          bool upgrade)
{
    struct situation_asker asker = {.navigation = false};
    struct span mode = headers_get(request, "Sec-Fetch-Mode");
    bool json = false, page = false;
    read_accept(request, &json, &page);
    asker.only_json = json && !page;
    if (upgrade)
        return asker;
    if (mode.p)
        asker.navigation = span_is(mode, "navigate") || span_is(mode, "nested-navigate");
    else
        asker.navigation = (span_is(method, "GET") || span_is(method, "HEAD")) &&
                           !asker.only_json && !headers_has(request, "X-Requested-With");
    return asker;
}

enum situation situation_of(bool found, enum right right, bool somebody, bool agent_here,
                            const struct situation_asker *asker)
{
    if (!somebody && (!found || right != RIGHT_YES))
        return asker->navigation ? SITUATION_LOG_IN : SITUATION_REFUSE;
    if (!found || right != RIGHT_YES)
        return SITUATION_NOT_FOUND;
    return agent_here ? SITUATION_PROXY : SITUATION_OFFLINE;
}
