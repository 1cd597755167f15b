/*
 * OpenSSL hands over one record at a time. While the link is corked they are gathered in a buffer
 * of the loop's, so that many records cost one system call (and one message, one mask, where a
 * WebSocket lies below). The cork is on only between two calls out of tls_stream.c, so the buffers
 * can be shared: as many are made as TLS streams lie one below the other. What the stream below
 * does not take is kept by the link.
 *
 * It also asks for the head of a record and then for the rest of it. While reading is going on
 * such a buffer is filled by one call and serves them. (OpenSSL can read ahead by itself, but moves
 * all that it has to the front of its buffer at each record, and reads the rest of the last one by
 * a call of its own.) How much is taken follows from what the reader has room for, so that little
 * is left at the end of reading: mostly a part of a record. A descriptor that gave less than was
 * asked for is not asked again in the same turn, which saves a call for each small message.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/bio.h>

#include "base/mem.h"
#include "io/loop_internal.h"
#include "io/stream.h"
#include "io/tls_internal.h"

/* A record on the wire: head, type, tag; and room for a message of the library's own. */
enum { SEALED_RECORD_MAX = SSL3_RT_MAX_PLAIN_LENGTH + 64, OWN_MESSAGES_MAX = 1024 };
/* What a record of TLS 1.3 without padding adds to its content (RFC 8446 section 5.2). */
enum { RECORD_OVERHEAD = 5 + 1 + 16 };
enum { BATCH_RECORDS = 8, BATCH_LEN = BATCH_RECORDS * SEALED_RECORD_MAX + OWN_MESSAGES_MAX };

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

/* ---- the link ---- */

struct batch {
    struct batch *next; /* of those that are free */
    unsigned char data[BATCH_LEN];
};

static struct batch *take_batch(struct loop *loop)
{
    struct batch *b = loop->batches;
    if (!b)
        return xmalloc(sizeof(*b));
    loop->batches = b->next;
    return b;
}

static void give_back(struct loop *loop, struct batch *b)
{
    b->next = loop->batches;
    loop->batches = b;
}

void tls_batches_free(struct batch *b)
{
    while (b) {
        struct batch *next = b->next;
        free(b);
        b = next;
    }
}

void tls_link_cork(struct tls_link *l)
{
    l->batch = take_batch(l->next->loop);
    l->batch_len = 0;
}

bool tls_link_full(const struct tls_link *l)
{
    return BATCH_LEN - l->batch_len < SEALED_RECORD_MAX + OWN_MESSAGES_MAX;
}

/* Bytes that the stream below took; sets the link's error. */
static size_t pass_down(struct tls_link *l, const unsigned char *data, size_t len)
{
    size_t off = 0;
    while (off < len) {
        ssize_t n = stream_send_bytes(l->next, data + off, len - off);
        if (n <= 0) {
            if (n != -EAGAIN)
                l->error = (int)n;
            break;
        }
        off += (size_t)n;
    }
    return off;
}

void tls_link_uncork(struct tls_link *l)
{
    struct loop *loop = l->next->loop;
    struct batch *batch = l->batch;
    size_t len = l->batch_len, taken = 0;
    l->batch = NULL;
    if (len > 0)
        taken = pass_down(l, batch->data, len);
    if (taken < len && !l->error) {
        l->kept = xmemdup(batch->data + taken, len - taken);
        l->kept_off = 0;
        l->kept_len = len - taken;
    }
    give_back(loop, batch);
}

int tls_link_flush(struct tls_link *l)
{
    if (l->kept_len > 0) {
        size_t n = pass_down(l, l->kept + l->kept_off, l->kept_len);
        l->kept_off += n;
        l->kept_len -= n;
    }
    if (l->error)
        return l->error;
    if (l->kept_len > 0)
        return -EAGAIN;
    free(l->kept);
    l->kept = NULL;
    return 0;
}

void tls_link_deinit(struct tls_link *l)
{
    free(l->kept);
    l->kept = NULL;
    l->kept_len = 0;
    free(l->ahead);
    free(l->ahead_kept);
    l->ahead = NULL;
    l->ahead_kept = NULL;
    l->ahead_len = 0;
}

/* ---- reading ahead ---- */

void tls_link_begin_reading(struct tls_link *l, size_t room)
{
    l->room = room > 0 ? room : 1;
    if (!l->ahead_kept)
        return;
    l->ahead = take_batch(l->next->loop);
    memcpy(l->ahead->data, l->ahead_kept, l->ahead_len);
    free(l->ahead_kept);
    l->ahead_kept = NULL;
}

void tls_link_end_reading(struct tls_link *l)
{
    l->room = 0;
    if (!l->ahead || l->ahead_len > SEALED_RECORD_MAX)
        return;
    if (l->ahead_len > 0)
        l->ahead_kept = xmemdup(l->ahead->data + l->ahead_off, l->ahead_len);
    l->ahead_off = 0;
    give_back(l->next->loop, l->ahead);
    l->ahead = NULL;
}

bool tls_link_dry(const struct tls_link *l)
{
    return l->ahead_len == 0 && !l->exactly && l->drained == l->next->loop->turn;
}

/* What `room` bytes of content may take as records, a whole one at least. */
static size_t sealed_len(size_t room)
{
    size_t records = room / SSL3_RT_MAX_PLAIN_LENGTH + 1;
    size_t len = room + records * RECORD_OVERHEAD;
    if (len < SEALED_RECORD_MAX)
        return SEALED_RECORD_MAX;
    return len < BATCH_LEN ? len : BATCH_LEN;
}

/* Nothing is there: takes what has come. As stream_recv. */
static ssize_t fill(struct tls_link *l)
{
    if (!l->ahead)
        l->ahead = take_batch(l->next->loop);
    l->ahead_off = 0;
    size_t asked = sealed_len(l->room);
    ssize_t n = stream_recv(l->next, l->ahead->data, asked);
    l->ahead_len = n > 0 ? (size_t)n : 0;
    if (n > 0 && (size_t)n < asked && stream_bare_fd(l->next, STREAM_READ) >= 0)
        l->drained = l->next->loop->turn;
    return n;
}

static size_t give_ahead(struct tls_link *l, void *data, size_t len)
{
    const unsigned char *from = l->ahead ? l->ahead->data : l->ahead_kept;
    if (len > l->ahead_len)
        len = l->ahead_len;
    memcpy(data, from + l->ahead_off, len);
    l->ahead_off += len;
    l->ahead_len -= len;
    return len;
}

static ssize_t receive(struct tls_link *l, void *data, size_t len)
{
    if (l->ahead_len == 0 && l->room > 0 && !l->exactly) {
        ssize_t n = tls_link_dry(l) ? -EAGAIN : fill(l);
        if (n <= 0)
            return n;
    }
    if (l->ahead_len > 0)
        return (ssize_t)give_ahead(l, data, len);
    return stream_recv(l->next, data, len);
}

/* ---- as OpenSSL sees it ---- */

static int write_batch(struct tls_link *l, const char *data, size_t len)
{
    if (len > BATCH_LEN - l->batch_len) {
        l->error = -ENOBUFS;
        return -1;
    }
    memcpy(l->batch->data + l->batch_len, data, len);
    l->batch_len += len;
    return (int)len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_link *l = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (l->batch)
        return write_batch(l, data, (size_t)len);
    ssize_t n = tls_link_flush(l);
    if (n == 0)
        n = stream_send_bytes(l->next, data, (size_t)len);
    if (n > 0)
        return (int)n;
    if (n == -EAGAIN)
        BIO_set_retry_write(bio);
    else
        l->error = (int)n;
    return -1;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct tls_link *l = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = receive(l, data, (size_t)len);
    if (n > 0)
        return (int)n;
    if (n == 0)
        l->ended = true;
    else if (n == -EAGAIN)
        BIO_set_retry_read(bio);
    else
        l->error = (int)n;
    return n == 0 ? 0 : -1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    const struct tls_link *l = BIO_get_data(bio);
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return l->ended;
    default:
        return 0;
    }
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

BIO *tls_bio_new(struct tls_link *link)
{
    pthread_once(&method_once, make_method);
    BIO *bio = BIO_new(method);
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    return bio;
}
