#include <errno.h>

#include "base/cleanup.h"
#include "store/key.h"
#include "store/sqlite.h"

/* Those of one purpose, newest first. */
static int list_keys(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "SELECT kid, purpose, secret, created_at, retires_at, expires_at FROM signing_keys"
              " WHERE purpose = ? ORDER BY created_at DESC, kid");
    query_bind_text(&q, op->in.name);
    int r;
    while ((r = query_step(&q)) == 1) {
        struct signing_key *key = store_op_row(op, sizeof(*key));
        if (!key)
            return -ENOBUFS;
        query_text(&q, key->kid, sizeof(key->kid));
        query_text(&q, key->purpose, sizeof(key->purpose));
        key->secret_len = query_blob(&q, key->secret, sizeof(key->secret));
        key->created_at = query_int(&q);
        key->retires_at = query_int(&q);
        key->expires_at = query_int(&q);
    }
    return r;
}

static int prune(struct store_conn *conn, usec_t now)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "DELETE FROM signing_keys WHERE expires_at <= ?");
    query_bind_int(&q, now);
    return query_run(&q);
}

int sqlite_key_rotate(struct store_conn *conn, struct store_op *op)
{
    const struct signing_key *key = op->in.record;
    int r = prune(conn, key->created_at);
    if (r < 0)
        return r;
    {
        _cleanup_(query_end) struct query q = query_start(
            conn, "INSERT INTO signing_keys (kid, purpose, secret, created_at, retires_at,"
                  " expires_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS"
                  " (SELECT 1 FROM signing_keys WHERE purpose = ?2 AND retires_at > ?4)");
        query_bind_text(&q, key->kid);
        query_bind_text(&q, key->purpose);
        query_bind_blob(&q, key->secret, key->secret_len);
        query_bind_int(&q, key->created_at);
        query_bind_int(&q, key->retires_at);
        query_bind_int(&q, key->expires_at);
        r = query_run(&q);
        if (r < 0)
            return r == -EEXIST ? STORE_EXISTS : r;
    }
    return list_keys(conn, op);
}
