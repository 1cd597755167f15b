/* Log text: events must come in an order that makes sense, and hold texts of one line. */
#include "ssh/sshd_log.h"

#include <string.h>

#include "proto/fuzz_check.h"

static uint64_t last_new;
static int open_count;

static void check_text(const char *text, size_t size)
{
    FUZZ_CHECK(strnlen(text, size) < size);
    FUZZ_CHECK(!strchr(text, '\n'));
}

static void logged(const struct sshd_event *e, void *ud)
{
    FUZZ_CHECK(e->kind < SSHD_EVENT_KIND_COUNT && sshd_event_kind_name(e->kind));
    check_text(e->target, sizeof(e->target));
    check_text(e->origin, sizeof(e->origin));
    check_text(e->asked, sizeof(e->asked));
    check_text(e->text, sizeof(e->text));
    if (e->kind == SSHD_LISTEN_BOUND || e->kind == SSHD_CHANNEL_OPENED)
        open_count++;
    if (e->kind == SSHD_LISTEN_CLOSED || e->kind == SSHD_CHANNEL_CLOSED)
        open_count--;
    if (e->kind == SSHD_LISTEN_BOUND) {
        FUZZ_CHECK(e->id > last_new);
        last_new = e->id;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    last_new = 0;
    open_count = 0;
    struct sshd_log *log = sshd_log_new(logged, NULL);
    sshd_log_feed(log, data, size / 2);
    sshd_log_feed(log, data + size / 2, size - size / 2);
    sshd_log_end(log);
    /* A forwarded connection that the client turned down is refused after it was opened. */
    FUZZ_CHECK(open_count >= 0);
    sshd_log_free(log);
    return 0;
}
