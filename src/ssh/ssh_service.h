#pragma once
/*
 * One SSH connection: an sshd (OpenSSH, `sshd -i`) of its own, with a configuration that is written
 * for one person's grant and with one client key. It runs as the user of this process, root or not.
 *
 * A start either leads to `started`, once sshd has sent its first bytes (the identification of RFC
 * 4253 section 4.2), or to `ended` with the reason that sshd gave: no other check of the
 * installation is needed. Then ssh_service_carry() joins it with the client's stream. A client
 * whose stream is there before, and is a bare TCP connection, can be handed over to sshd as a
 * whole instead, so that no byte passes through this process.
 */
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "ssh/key.h"
#include "ssh/sshd_log.h"

struct loop;
struct ssh_grant;
struct ssh_service;
struct stream;

typedef void ssh_service_started_fn(struct ssh_service *s, void *ud);
/* What sshd logged; lent for the call. */
typedef void ssh_service_logged_fn(const struct sshd_event *event, void *ud);
/*
 * Over: `err` is NULL after a connection that was carried, or on which sshd spoke; otherwise it
 * says why it never came to that. To be freed, also in this call.
 */
typedef void ssh_service_ended_fn(struct ssh_service *s, const struct err *err, void *ud);

/* Everything is borrowed for the call of ssh_service_new(). */
struct ssh_service_options {
    const struct ssh_grant *grant;
    const struct ssh_key *host_key;
    const struct ssh_public_key *client_key;
    usec_t start_timeout; /* until sshd speaks; 0: 10 s */
    ssh_service_started_fn *started;
    ssh_service_logged_fn *logged; /* may be NULL */
    ssh_service_ended_fn *ended;
    void *ud;
};

/*
 * Makes all that sshd needs, but does not start it. 0; -ENOENT: no sshd, with a text that names the
 * package; -EACCES and others: see the text. What the person is to know of the grant's bounds
 * (ssh_grant.h), and of an account without a shell, is shown by the client before the log-in (RFC
 * 4252 section 5.4).
 */
int ssh_service_new(struct loop *loop, const struct ssh_service_options *options,
                    struct ssh_service **ret, struct err *err);
/* 0, or no process can be had. No callback inside this call. Once, as the next. */
int ssh_service_start(struct ssh_service *s, struct err *err);
/* After `started`, once: takes over the client's stream. */
void ssh_service_carry(struct ssh_service *s, struct stream *client);
/*
 * In place of start and carry: sshd gets the client's connection itself, one TCP socket that both
 * directions of the stream show bare (stream_bare_fd()) and from which nothing has been read ahead.
 * Takes over the stream, also on failure. `started` is not called.
 */
int ssh_service_start_on(struct ssh_service *s, struct stream *client, struct err *err);
/* Bytes of the SSH connection so far. */
void ssh_service_count(const struct ssh_service *s, uint64_t *ret_in, uint64_t *ret_out);
/*
 * Shows a line on the terminals of its sessions, as wall(1) does; sessions without a terminal have
 * no place for it. Then ends sshd a moment later, and `ended` is called. Whether there was a
 * terminal.
 */
bool ssh_service_end(struct ssh_service *s, const char *text);
/*
 * Ends sshd with all its listeners and connections at once, and removes its files. What was open
 * is logged as closed within this call; `ended` is not called. Returns NULL; accepts NULL.
 */
struct ssh_service *ssh_service_free(struct ssh_service *s);
