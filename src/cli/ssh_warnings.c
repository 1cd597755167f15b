#include "cli/ssh_warnings.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/output.h"
#include "io/stream.h"
#include "tunnel/channel.h"
#include "tunnel/session.h"

enum { LINE_MAX_LEN = 1024 }; /* longer ones are not shown */

struct ssh_warnings {
    struct output *out;
    ssh_warnings_ended_fn *ended;
    void *ud;
    struct channel_open *opening;
    struct stream *body;
    struct buf text;
};

static void show_lines(struct ssh_warnings *n)
{
    struct span rest = span_from(buf_data(&n->text), n->text.len);
    ptrdiff_t end;
    size_t taken = 0;
    while ((end = span_find(rest, '\n')) >= 0) {
        if (end > 0)
            output_warning(n->out, SPAN_FMT, SPAN_ARG(span_sub(rest, 0, (size_t)end)));
        rest = span_sub(rest, (size_t)end + 1, rest.len);
        taken += (size_t)end + 1;
    }
    buf_consume(&n->text, taken);
}

static void body_ready(struct stream *s, unsigned events, void *ud)
{
    struct ssh_warnings *n = ud;
    char piece[512];
    ssize_t len;
    while ((len = stream_recv(s, piece, sizeof(piece))) > 0) {
        if (buf_append(&n->text, piece, (size_t)len) < 0) {
            len = -EMSGSIZE;
            break;
        }
        show_lines(n);
    }
    if (len == -EAGAIN)
        return;
    n->body = stream_free(n->body);
    n->ended(n, n->ud);
}

static void opened(struct stream *body, enum dial_result result, const char *reason, void *ud)
{
    struct ssh_warnings *n = ud;
    n->opening = NULL;
    if (result != DIAL_OK) {
        n->ended(n, n->ud);
        return;
    }
    n->body = body;
    stream_set_ready(body, body_ready, n);
    stream_want(body, STREAM_READ);
}

struct ssh_warnings *ssh_warnings_new(struct tunnel_session *session, struct output *out,
                                      ssh_warnings_ended_fn *ended, void *ud)
{
    struct ssh_warnings *n = new0(struct ssh_warnings);
    const struct channel_open_options options = {.opened = opened, .ud = n};
    n->out = out;
    n->ended = ended;
    n->ud = ud;
    buf_init(&n->text, LINE_MAX_LEN);
    n->opening = tunnel_session_get(session, "/ssh/notices", &options);
    return n;
}

struct ssh_warnings *ssh_warnings_free(struct ssh_warnings *n)
{
    if (!n)
        return NULL;
    channel_open_cancel(n->opening);
    stream_free(n->body);
    buf_deinit(&n->text);
    free(n);
    return NULL;
}
