#pragma once
/*
 * Channels as HTTP/2 heads and back: which method, `:protocol` and path stands for what
 * (docs/PROTOCOL.md). Pure. For this folder only.
 */
#include "http/h2.h"
#include "tunnel/channel.h"

enum { CHANNEL_PATH_SIZE = 512 };

/* A head together with the texts it refers to. */
struct channel_head {
    struct h2_head head;
    struct h2_field fields[2];
    char authority[HOSTPORT_SIZE];
    char path[CHANNEL_PATH_SIZE];
    char id[ID_TEXT_SIZE];
};

/* 0, or -EINVAL: such a target cannot be asked for. `ret` must not move afterwards. */
int channel_head_write(const struct channel_target *target, struct channel_head *ret);

/*
 * What a request asks for; `method`, `path` and `body` are left alone. 0; -EINVAL: a broken form
 * of something known; -EOPNOTSUPP: a `:protocol` that is not known.
 */
int channel_head_read(const struct h2_head *head, struct channel_request_info *ret);

/* What an answer says: DIAL_OK for 2xx; otherwise also why, as text for people (may be ""). */
enum dial_result channel_head_result(const struct h2_head *head, char *reason, size_t reason_size);
/* What it means for a channel that no answer came (result of h2_answered_fn, negative). */
enum dial_result channel_head_failure(const struct stream *channel, int result);
