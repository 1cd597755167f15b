#pragma once
/*
 * Ed25519 keys in the forms that OpenSSH reads (RFC 8709; PROTOCOL.key of OpenSSH for the private
 * file). The other kinds of keys are not needed: both ends' keys are made by this program.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/span.h"

enum {
    SSH_KEY_LEN = 32,
    SSH_KEY_LINE_SIZE = 96,       /* of a public line, with NUL */
    SSH_KEY_FILE_MAX = 1024,      /* of a private file */
    SSH_KEY_COMMENT_MAX_LEN = 64, /* longer ones are cut */
};

struct ssh_public_key {
    unsigned char bytes[SSH_KEY_LEN];
};

struct ssh_key;

struct ssh_key *ssh_key_generate(void);
/*
 * The key that belongs to a secret and a purpose: the same ones always give the same key
 * (HKDF-SHA-256, RFC 5869), from which the secret cannot be learnt.
 */
struct ssh_key *ssh_key_derive(struct span secret, const char *purpose);
/* Wipes it. Returns NULL; accepts NULL. */
struct ssh_key *ssh_key_free(struct ssh_key *key);
const struct ssh_public_key *ssh_key_public(const struct ssh_key *key);

/* "ssh-ed25519 AAAA...", without comment and newline. */
char *ssh_public_key_line(const struct ssh_public_key *key, char dst[static SSH_KEY_LINE_SIZE]);
/* Reads exactly that form, nothing around it. 0 or -EINVAL. */
int ssh_public_key_parse(struct span line, struct ssh_public_key *ret);

/*
 * Appends the private key file, unencrypted, with newlines. It holds a secret: wipe `dst`.
 * `comment` may be empty; control characters in it are left out. 0 or -ENOBUFS.
 */
int ssh_key_file(const struct ssh_key *key, const char *comment, struct buf *dst);
