#include "agent/server_api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/feed.h"
#include "agent/records.h"
#include "api/news.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "io/tls.h"
#include "tunnel/channel.h"

enum { BODY_MAX_LEN = 1 << 20 };

static const char records_path[] = "/events?after=";

struct server_api {
    struct records *records;
    struct feed *feed;
    struct tls_pin pin;
    bool direct;
};

static void answer_info(struct server_api *a, struct channel_request *rq)
{
    struct api_agent_info info = {0};
    memcpy(info.pin, a->pin.sha256, sizeof(info.pin));
    str_copy(info.version, sizeof(info.version), ADIT_VERSION);
    info.direct = a->direct;
    struct utsname system;
    if (uname(&system) == 0) {
        str_copy(info.os, sizeof(info.os), system.sysname);
        str_copy(info.arch, sizeof(info.arch), system.machine);
        str_copy(info.hostname, sizeof(info.hostname), system.nodename);
    }
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(BODY_MAX_LEN);
    if (api_agent_info_write(&info, &json) < 0)
        channel_answer(rq, 500, NULL);
    else
        channel_answer(rq, 200, buf_cstr(&json));
}

static void answer_written(struct channel_request *rq, int r, struct buf *json)
{
    if (r < 0)
        channel_answer(rq, 500, NULL);
    else
        channel_answer(rq, 200, buf_cstr(json));
}

static void answer_ports(struct server_api *a, struct channel_request *rq)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(BODY_MAX_LEN);
    answer_written(rq, feed_write_ports(a->feed, &json), &json);
}

static void answer_forwards(struct server_api *a, struct channel_request *rq)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(BODY_MAX_LEN);
    answer_written(rq, feed_write_forwards(a->feed, &json), &json);
}

static struct span body_of(struct channel_request *rq)
{
    const struct channel_request_info *info = channel_request_info(rq);
    return span_from(info->body, info->body_len);
}

static void take_watched(struct server_api *a, struct channel_request *rq)
{
    struct api_watched msg;
    if (api_watched_read(body_of(rq), API_LENIENT, &msg, NULL) < 0) {
        channel_answer(rq, 400, NULL);
        return;
    }
    feed_watch(a->feed, msg.watched);
    channel_answer(rq, 204, NULL);
}

static void take_apps(struct server_api *a, struct channel_request *rq)
{
    struct api_app_checks msg;
    if (api_app_checks_read(body_of(rq), API_LENIENT, &msg, NULL) < 0) {
        channel_answer(rq, 400, NULL);
        return;
    }
    feed_set_apps(a->feed, &msg);
    api_app_checks_release(&msg);
    channel_answer(rq, 204, NULL);
}

static void answer_records(struct server_api *a, struct channel_request *rq)
{
    struct span path = span_of(channel_request_info(rq)->path);
    struct span number = span_sub(path, sizeof(records_path) - 1, path.len);
    uint64_t after;
    if (num_parse(number, 0, INT64_MAX, &after) < 0)
        channel_answer(rq, 400, NULL);
    else
        records_answer(a->records, rq, after);
}

struct server_api *server_api_new(const struct tls_identity *identity, struct records *records,
                                  struct feed *feed)
{
    struct server_api *a = new0(struct server_api);
    a->records = records;
    a->feed = feed;
    tls_identity_pin(identity, &a->pin);
    return a;
}

void server_api_tell_direct(struct server_api *a)
{
    a->direct = true;
}

static void get(struct server_api *a, struct channel_request *rq, const char *path)
{
    if (str_eq(path, "/info"))
        answer_info(a, rq);
    else if (str_eq(path, "/ports"))
        answer_ports(a, rq);
    else if (str_eq(path, "/forwards"))
        answer_forwards(a, rq);
    else if (span_starts(span_of(path), records_path))
        answer_records(a, rq);
    else if (str_eq(path, "/events"))
        feed_start(a->feed, rq);
    else
        channel_answer(rq, 404, NULL);
}

static void put(struct server_api *a, struct channel_request *rq, const char *path)
{
    if (str_eq(path, "/watched"))
        take_watched(a, rq);
    else if (str_eq(path, "/apps"))
        take_apps(a, rq);
    else
        channel_answer(rq, 404, NULL);
}

void server_api_handle(struct server_api *a, struct channel_request *rq)
{
    const struct channel_request_info *info = channel_request_info(rq);
    if (info->kind != CHANNEL_REQUEST)
        channel_refuse(rq, DIAL_UNSUPPORTED, NULL);
    else if (str_eq(info->method, "GET"))
        get(a, rq, info->path);
    else if (str_eq(info->method, "PUT"))
        put(a, rq, info->path);
    else
        channel_answer(rq, 405, NULL);
}

struct server_api *server_api_free(struct server_api *a)
{
    free(a);
    return NULL;
}
