#include "model/share.h"

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
