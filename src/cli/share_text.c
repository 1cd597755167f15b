#include "cli/share_text.h"

void share_text_people(const struct share *share, struct buf *dst)
{
    static const char *const words[] = {
        [SHARE_OWNER] = "its owner only",
        [SHARE_AUTHENTICATED] = "everyone who can log in",
        [SHARE_PUBLIC] = "anybody",
    };
    if (share->level != SHARE_USERS)
        buf_append_str(dst, words[share->level]);
    else if (share->users.len == 0)
        buf_append_str(dst, "nobody any more");
    else
        for (size_t i = 0; i < share->users.len; i++)
            buf_appendf(dst, "%s%s",
                        i == 0                      ? ""
                        : i + 1 == share->users.len ? " and "
                                                    : ", ",
                        share->users.items[i]);
}

void share_text_expiry(const struct share *share, usec_t now, struct buf *dst)
{
    long long sec = (share->expires_at - now + USEC_PER_SEC - 1) / USEC_PER_SEC;
    long long min = (sec + 30) / 60, hours = (min + 30) / 60;
    if (share->expires_at == 0)
        return;
    if (sec < 120)
        buf_appendf(dst, ", for another %lld s", sec > 0 ? sec : 0);
    else if (min < 120) /* rounded before: "2 h" that was just set is not "120 min" */
        buf_appendf(dst, ", for another %lld min", min);
    else if (hours < 48)
        buf_appendf(dst, ", for another %lld h", hours);
    else
        buf_appendf(dst, ", for another %lld days", (hours + 12) / 24);
}

void share_text_app(const struct api_app *app, usec_t now, struct buf *dst)
{
    /* What counts is the effective level; the people are those of the share. */
    struct share shown = app->own.share;
    if (app->own.missing) {
        buf_append_str(dst, "(not in the template)");
        return;
    }
    shown.level = app->share;
    share_text_people(&shown, dst);
    share_text_expiry(&app->own.share, now, dst);
}
