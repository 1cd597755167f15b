/*
 * crypt_rn() needs 32 KiB of scratch space a call, which holds parts of the password and is wiped
 * with the job. A cancelled job runs to its end on the pool; only its callback is left out.
 */
#include "auth/password.h"

#include <crypt.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/secret.h"
#include "io/loop.h"

static const char method[] = "$y$"; /* yescrypt with libcrypt's own cost */

static atomic_int jobs;

struct password_job {
    uv_work_t work;
    struct secret *password;
    char *expected; /* verify: the hash to compare with; NULL: none */
    bool verify;
    bool canceled;
    bool right;
    int result;
    password_hashed_fn *hashed;
    password_verified_fn *verified;
    void *ud;
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data data;
};

static struct password_job *job_free(struct password_job *job)
{
    secret_free(job->password);
    free(job->expected);
    explicit_bzero(job, sizeof(*job));
    free(job);
    atomic_fetch_sub(&jobs, 1);
    return NULL;
}

/* A new hash in data.output, or NULL. */
static const char *hash_new(struct password_job *job)
{
    if (!crypt_gensalt_rn(method, 0, NULL, 0, job->setting, sizeof(job->setting)))
        return NULL;
    return crypt_rn(job->password->text, job->setting, &job->data, sizeof(job->data));
}

static void run(uv_work_t *work)
{
    struct password_job *job = work->data;
    if (strlen(job->password->text) != job->password->len) {
        job->result = -EINVAL;
        return;
    }
    const char *hash = NULL;
    if (job->expected && job->expected[0])
        hash = crypt_rn(job->password->text, job->expected, &job->data, sizeof(job->data));
    if (hash) {
        job->right = secret_equal(hash, strlen(hash), job->expected, strlen(job->expected));
        return;
    }
    /* For a log-in this is the work that a real comparison would have been. */
    if (!hash_new(job))
        job->result = -EINVAL;
}

static void finished(uv_work_t *work, int status)
{
    struct password_job *job = work->data;
    if (!job->canceled && job->verify)
        job->verified(job->ud, job->right);
    else if (!job->canceled)
        job->hashed(job->ud, job->result, job->result == 0 ? job->data.output : NULL);
    job_free(job);
}

static struct password_job *start(struct loop *loop, struct span password, void *ud)
{
    if (atomic_fetch_add(&jobs, 1) >= PASSWORD_JOBS_MAX) {
        atomic_fetch_sub(&jobs, 1);
        return NULL;
    }
    struct password_job *job = new0(struct password_job);
    job->work.data = job;
    job->password = secret_new(password.p, password.len);
    job->ud = ud;
    return job;
}

struct password_job *password_hash(struct loop *loop, struct span password, password_hashed_fn *fn,
                                   void *ud)
{
    struct password_job *job = start(loop, password, ud);
    if (!job)
        return NULL;
    job->hashed = fn;
    uv_queue_work(loop_uv(loop), &job->work, run, finished);
    return job;
}

struct password_job *password_verify(struct loop *loop, struct span password, const char *hash,
                                     password_verified_fn *fn, void *ud)
{
    struct password_job *job = start(loop, password, ud);
    if (!job)
        return NULL;
    job->verify = true;
    job->verified = fn;
    job->expected = hash ? xstrdup(hash) : NULL;
    uv_queue_work(loop_uv(loop), &job->work, run, finished);
    return job;
}

void password_cancel(struct password_job *job)
{
    if (job)
        job->canceled = true;
}
