#include "cli/workspace_view.h"

#include "base/cleanup.h"

int workspace_view_get(struct api_client *c, const char *typed, struct workspace_ref *ret_ref,
                       json_t **ret)
{
    struct err err = ERR_INIT;
    _cleanup_free_ char *path = NULL;
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    if (workspace_ref_parse(span_of(typed), ret_ref, &err) < 0)
        return cli_usage_error(c->cli, &err);
    int code = api_client_workspace_path(c, ret_ref, &path);
    if (code == 0)
        code = api_client_call(c, "GET", path, NULL, NULL, &body);
    if (code != 0)
        return code;
    *ret = json_loadb((const char *)buf_data(&body), body.len, 0, NULL);
    if (json_is_object(*ret))
        return 0;
    json_decref(*ret);
    output_error(&c->cli->out, "the server's answer is not understood");
    return EXIT_CODE_FAILURE;
}
