#include "model/share.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "base/text.h"
#include "model/name_table.h"

static const char *const level_names[] = {
    [SHARE_OWNER] = "owner",
    [SHARE_USERS] = "users",
    [SHARE_AUTHENTICATED] = "authenticated",
    [SHARE_PUBLIC] = "public",
};

static const char *const protocol_names[] = {
    [SHARE_HTTP] = "http",
    [SHARE_HTTPS] = "https",
};

const char *share_level_name(enum share_level level)
{
    return level_names[level];
}

int share_level_parse(struct span text, enum share_level *ret)
{
    NAME_TABLE_PARSE(level_names, text, ret);
}

const char *share_protocol_name(enum share_protocol protocol)
{
    return protocol_names[protocol];
}

int share_protocol_parse(struct span text, enum share_protocol *ret)
{
    NAME_TABLE_PARSE(protocol_names, text, ret);
}

void share_deinit(struct share *share)
{
    text_list_deinit(&share->users);
}

void share_target(const struct share *share, char ret[static SHARE_TARGET_SIZE])
{
    if (share->port)
        snprintf(ret, SHARE_TARGET_SIZE, "%u", share->port);
    else
        str_copy(ret, SHARE_TARGET_SIZE, share->slug);
}

int share_set_target(struct share *share, struct span target)
{
    uint16_t port = 0;
    char slug[NAME_SIZE] = "";

    if (num_parse_port(target, false, &port) < 0 && name_parse(NAME_SLUG, target, slug, NULL) < 0)
        return -EINVAL;
    share->port = port;
    str_copy(share->slug, sizeof(share->slug), slug);
    return 0;
}

bool share_counts(const struct share *share, usec_t now)
{
    return share->expires_at == 0 || now < share->expires_at;
}
