/*
 * The policy of a template, in the same words as in its YAML. Everything that decides a right must
 * be there: a policy in which it is missing is refused and not filled up.
 */
#include "api/policy_type.h"

#include <errno.h>

#include "api/codec.h"
#include "api/workspace.h"

enum { TEXT_MAX_LEN = 2048 };

static const struct api_field forwarding_fields[] = {
    API_F_BOOL(struct forward_policy, local, "local", API_REQ),
    API_F_BOOL(struct forward_policy, remote, "remote", API_REQ),
    API_F_BOOL(struct forward_policy, public_listen, "public_listen", API_REQ),
    API_F_BOOL(struct forward_policy, unix_sockets, "unix_sockets", API_REQ),
    API_F_BOOL(struct forward_policy, agent_forwarding, "agent_forwarding", API_REQ),
    API_F_STRINGS(struct forward_policy, permit_open, "permit_open", POLICY_RULES_MAX, API_REQ),
    API_F_STRINGS(struct forward_policy, permit_listen, "permit_listen", POLICY_RULES_MAX, API_REQ),
};
API_TYPE(api_forwarding_type, struct forward_policy, "Forwarding", forwarding_fields);

struct healthcheck {
    __typeof__(((struct app *)NULL)->healthcheck) h;
};
static const struct api_field healthcheck_fields[] = {
    API_F_STRING(struct healthcheck, h.url, "url", TEXT_MAX_LEN, API_REQ),
    API_F_TEXT(struct healthcheck, h.interval, "interval", duration, API_REQ),
    API_F_NUMBER(struct healthcheck, h.threshold, "threshold", 1, 1000, API_REQ),
};
static API_TYPE(healthcheck_type, struct healthcheck, "Healthcheck", healthcheck_fields);

static const struct api_field app_fields[] = {
    API_F_TEXT(struct app, slug, "slug", slug, API_REQ),
    API_F_STRING(struct app, display_name, "display_name", TEXT_MAX_LEN, API_NULL),
    API_F_STRING(struct app, icon, "icon", TEXT_MAX_LEN, API_NULL),
    API_F_STRING(struct app, url, "url", TEXT_MAX_LEN, API_REQ),
    API_F_BOOL(struct app, subdomain, "subdomain", API_REQ),
    API_F_TEXT(struct app, share, "share", share_level, API_REQ),
    API_F_NUMBER(struct app, order, "order", INT32_MIN, INT32_MAX, .flags = API_SIGNED),
    API_F_OBJECT(struct app, healthcheck, "healthcheck", healthcheck_type, API_NULL),
};
static API_TYPE(app_type, struct app, "App", app_fields);

static const struct api_field policy_fields[] = {
    API_F_STRING(struct template, description, "description", TEXT_MAX_LEN, API_ABSENT),
    API_F_TEXT(struct template, max_port_share_level, "max_port_share_level", share_level, API_REQ),
    API_F_OBJECT(struct template, forwarding, "forwarding", api_forwarding_type, API_REQ),
    API_F_TEXT(struct template, cors, "cors", cors, API_REQ),
    API_F_BOOL(struct template, identity_headers, "identity_headers", API_REQ),
    API_F_LIST(struct template, apps, n_apps, "apps", app_type, TEMPLATE_APPS_MAX, API_REQ),
};
API_TYPE(api_policy_type, struct template, "Policy", policy_fields);

int api_policy_read(struct span json, struct template *ret, struct err *err)
{
    struct api_problem problem;
    int r = api_read(&api_policy_type, json, API_STRICT, ret, &problem);
    if (r < 0 && problem.n_fields)
        return err_set(err, r, "the policy's %s: %s", problem.fields[0].field,
                       problem.fields[0].message);
    return r < 0 ? err_set(err, r, "the policy: %s", problem.message) : 0;
}

int api_policy_write(const struct template *policy, struct buf *out)
{
    return api_write(&api_policy_type, policy, out);
}
