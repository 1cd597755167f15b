#include "model/role.h"

#include "model/name_table.h"

static const char *const role_names[] = {
    [ROLE_MEMBER] = "member",
    [ROLE_AUDITOR] = "auditor",
    [ROLE_OWNER] = "owner",
};

const char *role_name(enum role role)
{
    return role_names[role];
}

int role_parse(struct span text, enum role *ret)
{
    NAME_TABLE_PARSE(role_names, text, ret);
}
