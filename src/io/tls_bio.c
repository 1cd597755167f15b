/* A BIO over a stream, for where there is no descriptor: TLS in a WebSocket or a channel. */
#include <errno.h>
#include <pthread.h>

#include <openssl/bio.h>

#include "base/mem.h"
#include "io/stream.h"
#include "io/tls_internal.h"

struct bio_data {
    struct stream *next;
    int *error;
    bool ended;
};

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static int bio_write(BIO *bio, const char *data, int len)
{
    struct bio_data *b = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = stream_send_bytes(b->next, data, (size_t)len);
    if (n > 0)
        return (int)n;
    if (n == -EAGAIN)
        BIO_set_retry_write(bio);
    else
        *b->error = (int)n;
    return -1;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct bio_data *b = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = stream_recv(b->next, data, (size_t)len);
    if (n > 0)
        return (int)n;
    if (n == 0)
        b->ended = true;
    else if (n == -EAGAIN)
        BIO_set_retry_read(bio);
    else
        *b->error = (int)n;
    return n == 0 ? 0 : -1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    struct bio_data *b = BIO_get_data(bio);
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return b->ended;
    default:
        return 0;
    }
}

static int bio_destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_destroy(method, bio_destroy);
}

BIO *tls_bio_new(struct stream *next, int *error)
{
    pthread_once(&method_once, make_method);
    struct bio_data *b = new0(struct bio_data);
    BIO *bio = BIO_new(method);
    b->next = next;
    b->error = error;
    BIO_set_data(bio, b);
    BIO_set_init(bio, 1);
    return bio;
}
