#pragma once
/*
 * sshd's log at DEBUG1 (OpenSSH 9.2, Debian 12), as written to standard error, turned
 * into events. Pure: bytes in, events out. sshd escapes control characters of what the client
 * sends, so that a line is a line; but the client chooses host names and paths freely, so texts
 * that could be read in two ways are read such that the target is what sshd used.
 *
 * A line after the log-in that is neither understood nor known to be without interest becomes a
 * raw event and is counted; so does one that was cut.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sshd_log;

enum sshd_event_kind {
    SSHD_LOGGED_IN,
    SSHD_SESSION_STARTED, /* text: "shell on pts/0", "command", "subsystem 'sftp'" */
    SSHD_SESSION_ENDED,
    SSHD_LISTEN_ASKED,     /* target: the listener as it was asked for */
    SSHD_LISTEN_BOUND,     /* target: as bound, once for each address; asked: as above */
    SSHD_LISTEN_REFUSED,   /* target as asked for; text: why */
    SSHD_LISTEN_CANCELLED, /* target as asked for; SSHD_LISTEN_CLOSED follows for each address */
    SSHD_LISTEN_CLOSED,    /* target: as bound */
    SSHD_CHANNEL_OPENED,   /* a forwarded connection; target; origin if `remote` is not set */
    SSHD_CHANNEL_REFUSED,  /* target, origin; text: why */
    SSHD_CHANNEL_CLOSED,   /* target, origin */
    SSHD_RAW,              /* text: the line */
    SSHD_EVENT_KIND_COUNT
};

enum {
    SSHD_LINE_MAX_LEN = 2048, /* sshd itself cuts at about 1,024 */
    SSHD_PLACE_SIZE = 320,
    SSHD_TEXT_SIZE = 256,
    SSHD_CHANNELS_MAX = 16384, /* sshd's own limit */
    SSHD_SESSIONS_MAX = 256,   /* sshd_config.c allows fewer */
};

/* Lent for the call. Texts that an event does not have are empty. */
struct sshd_event {
    enum sshd_event_kind kind;
    /*
     * Of bound listeners and channels: the same from the first event to the last, and never given
     * twice on one connection. Of sessions: sshd's own number, which is used again after the end.
     */
    uint64_t id;
    bool remote;                  /* a channel of a listener in the workspace (ssh -R) */
    char target[SSHD_PLACE_SIZE]; /* "host:port", "[::1]:port", "*:port", or a socket's path */
    char origin[SSHD_PLACE_SIZE]; /* "192.0.2.1:port", as the client or the kernel tells it */
    char asked[SSHD_PLACE_SIZE];
    char text[SSHD_TEXT_SIZE]; /* one line, cut to fit */
};

/* "logged_in", "listen_bound", ... */
const char *sshd_event_kind_name(enum sshd_event_kind kind);

typedef void sshd_logged_fn(const struct sshd_event *event, void *ud);

struct sshd_log *sshd_log_new(sshd_logged_fn *logged, void *ud);
/* The next bytes of the log, however they are cut. */
void sshd_log_feed(struct sshd_log *log, const void *data, size_t len);
/*
 * Nothing has come for a while: a listener that was asked for and is not bound by now was refused
 * (with AllowTcpForwarding off sshd does not say so).
 */
void sshd_log_settle(struct sshd_log *log);
/* The end of the log: what is open is closed now. */
void sshd_log_end(struct sshd_log *log);
/* Lines that were not understood. */
uint64_t sshd_log_unknown(const struct sshd_log *log);
/* Returns NULL; accepts NULL. No events. */
struct sshd_log *sshd_log_free(struct sshd_log *log);
