#include "agent/ssh_host.h"

#include <stdlib.h>

#include "agent/ssh_notices.h"
#include "api/error.h"
#include "api/peer.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "ssh/ssh_account.h"
#include "ssh/ssh_folder.h"
#include "tunnel/channel.h"

enum { ANSWER_MAX_LEN = 4096 };

struct ssh_host *ssh_host_new(struct span token)
{
    struct ssh_host *host = new0(struct ssh_host);
    ssh_folder_clean();
    host->notices = ssh_notices_new();
    list_init(&host->connections);
    list_init(&host->forwards);
    host->key = ssh_key_derive(token, "adit SSH host key");
    return host;
}

void ssh_host_answer(const struct ssh_host *host, struct channel_request *rq)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(ANSWER_MAX_LEN);
    struct ssh_account account;
    struct err err = ERR_INIT;
    if (!ssh_server_path(&err) || ssh_account_read(&account, &err) < 0) {
        int r = api_error_build(err.text, NULL, &json);
        channel_answer(rq, 503, r == 0 ? buf_cstr(&json) : NULL);
        return;
    }
    struct api_ssh_info info = {0};
    char line[SSH_KEY_LINE_SIZE];
    str_copy(info.user, sizeof(info.user), account.user);
    str_copy(info.host_key, sizeof(info.host_key),
             ssh_public_key_line(ssh_key_public(host->key), line));
    if (api_ssh_info_write(&info, &json) < 0)
        channel_answer(rq, 500, NULL);
    else
        channel_answer(rq, 200, buf_cstr(&json));
}

struct ssh_host *ssh_host_free(struct ssh_host *host)
{
    if (!host)
        return NULL;
    ssh_notices_free(host->notices);
    ssh_key_free(host->key);
    free(host);
    return NULL;
}
