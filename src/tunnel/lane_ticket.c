/*
 *     key:     WORKER.SESSION.SECRET
 *     ticket:  WORKER.SESSION.NUMBER.END.MAC
 *
 * Numbers are decimal, SESSION an id, END `c` or `a`, SECRET base64url and MAC hexadecimal: the
 * first 16 bytes of HMAC-SHA-256 over all that stands before its dot.
 */
#include "tunnel/lane_ticket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/num.h"
#include "base/rand.h"
#include "base/secret.h"
#include "base/text.h"

enum { WORKERS_MOST = 65535, TICKET_FIELDS = 5 };

struct lane_key lane_key_new(unsigned worker)
{
    struct lane_key key = {.worker = worker, .session = id_new()};
    rand_bytes(key.secret, sizeof(key.secret));
    return key;
}

/* Cuts at the dots. Whether there are exactly `n` parts. */
static bool split(struct span text, struct span *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!span_split(&text, '.', &parts[i]))
            return false;
    struct span more;
    return !span_split(&text, '.', &more);
}

static int read_session(const struct span *parts, unsigned *ret_worker, struct id *ret_session)
{
    uint64_t worker;
    if (num_parse(parts[0], 0, WORKERS_MOST, &worker) < 0 || id_parse(parts[1], ret_session) < 0)
        return -EINVAL;
    *ret_worker = (unsigned)worker;
    return 0;
}

char *lane_key_format(const struct lane_key *key, char dst[static LANE_KEY_TEXT_SIZE])
{
    char session[ID_TEXT_SIZE], secret[64];
    base64url_encode(key->secret, sizeof(key->secret), secret);
    snprintf(dst, LANE_KEY_TEXT_SIZE, "%u.%s.%s", key->worker, id_format(&key->session, session),
             secret);
    return dst;
}

int lane_key_parse(struct span text, struct lane_key *ret)
{
    struct span parts[3];
    struct lane_key key = {0};
    if (!split(text, parts, 3) || read_session(parts, &key.worker, &key.session) < 0 ||
        base64url_decode(parts[2], key.secret, sizeof(key.secret)) != sizeof(key.secret))
        return -EINVAL;
    *ret = key;
    return 0;
}

/* The text that the MAC is over. */
static void claim(const struct lane_ticket *t, char dst[static LANE_TICKET_TEXT_SIZE])
{
    char session[ID_TEXT_SIZE];
    snprintf(dst, LANE_TICKET_TEXT_SIZE, "%u.%s.%llu.%c", t->worker,
             id_format(&t->session, session), (unsigned long long)t->number, (char)t->end);
}

static void mac_of(const struct lane_key *key, const char *text,
                   unsigned char ret_mac[static LANE_MAC_LEN])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!HMAC(EVP_sha256(), key->secret, sizeof(key->secret), (const unsigned char *)text,
              strlen(text), digest, &len) ||
        len < LANE_MAC_LEN)
        abort();
    memcpy(ret_mac, digest, LANE_MAC_LEN);
}

char *lane_ticket_make(const struct lane_key *key, uint64_t number, enum lane_end end,
                       char dst[static LANE_TICKET_TEXT_SIZE])
{
    struct lane_ticket t = {
        .worker = key->worker, .session = key->session, .number = number, .end = end};
    char text[LANE_TICKET_TEXT_SIZE], mac[HEX_LEN(LANE_MAC_LEN)];
    claim(&t, text);
    mac_of(key, text, t.mac);
    snprintf(dst, LANE_TICKET_TEXT_SIZE, "%.90s.%s", text, hex_encode(t.mac, sizeof(t.mac), mac));
    return dst;
}

int lane_ticket_parse(struct span text, struct lane_ticket *ret)
{
    struct span parts[TICKET_FIELDS];
    struct lane_ticket t = {0};
    if (!split(text, parts, TICKET_FIELDS) || read_session(parts, &t.worker, &t.session) < 0 ||
        num_parse(parts[2], 0, UINT64_MAX, &t.number) < 0 ||
        hex_decode(parts[4], t.mac, sizeof(t.mac)) != sizeof(t.mac))
        return -EINVAL;
    if (!span_is(parts[3], "c") && !span_is(parts[3], "a"))
        return -EINVAL;
    t.end = (enum lane_end)parts[3].p[0];
    *ret = t;
    return 0;
}

bool lane_ticket_verify(const struct lane_ticket *ticket, const struct lane_key *key)
{
    char text[LANE_TICKET_TEXT_SIZE];
    unsigned char mac[LANE_MAC_LEN];
    claim(ticket, text);
    mac_of(key, text, mac);
    return ticket->worker == key->worker && id_equal(&ticket->session, &key->session) &&
           secret_equal(mac, sizeof(mac), ticket->mac, sizeof(ticket->mac));
}
