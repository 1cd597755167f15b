/*
 * The library's own way to its routines is a manager object of 200 KiB that knows every cipher of
 * every processor, which makes a program 14 MiB larger and 4 MiB fatter in memory. The routines
 * are called by their names instead, and linked from the static library, so that only they get
 * into the program. Their names are not in the library's header: the build tries whether they are
 * there, and the provider tries known answers before it offers them.
 */
#include "io/tls_gcm_vaes.h"

#include <cpuid.h>

#define DECLARE(bits)                                                                              \
    void aes_gcm_precomp_##bits##_vaes_avx512(struct gcm_key_data *);                              \
    void aes_gcm_init_##bits##_vaes_avx512(const struct gcm_key_data *, struct gcm_context_data *, \
                                           const uint8_t *iv, const uint8_t *aad, uint64_t);       \
    void aes_gcm_enc_##bits##_update_vaes_avx512(const struct gcm_key_data *,                      \
                                                 struct gcm_context_data *, uint8_t *out,          \
                                                 const uint8_t *in, uint64_t len);                 \
    void aes_gcm_dec_##bits##_update_vaes_avx512(const struct gcm_key_data *,                      \
                                                 struct gcm_context_data *, uint8_t *out,          \
                                                 const uint8_t *in, uint64_t len);                 \
    void aes_gcm_enc_##bits##_finalize_vaes_avx512(                                                \
        const struct gcm_key_data *, struct gcm_context_data *, uint8_t *tag, uint64_t tag_len);   \
    void aes_gcm_dec_##bits##_finalize_vaes_avx512(                                                \
        const struct gcm_key_data *, struct gcm_context_data *, uint8_t *tag, uint64_t tag_len)

#define ROUTINES(bits)                                                                             \
    {                                                                                              \
        .key_len = (bits) / 8, .expand_key = aes_keyexp_##bits##_enc_avx512,                       \
        .precompute = aes_gcm_precomp_##bits##_vaes_avx512,                                        \
        .start = aes_gcm_init_##bits##_vaes_avx512,                                                \
        .seal = aes_gcm_enc_##bits##_update_vaes_avx512,                                           \
        .open = aes_gcm_dec_##bits##_update_vaes_avx512,                                           \
        .finish_sealing = aes_gcm_enc_##bits##_finalize_vaes_avx512,                               \
        .finish_opening = aes_gcm_dec_##bits##_finalize_vaes_avx512,                               \
    }

DECLARE(128);
DECLARE(256);

const struct gcm_routines gcm_vaes_128 = ROUTINES(128);
const struct gcm_routines gcm_vaes_256 = ROUTINES(256);

bool gcm_vaes_runs_here(void)
{
    /* Intel SDM, CPUID leaf 7, ECX. Clang 14 has no name for VAES in __builtin_cpu_supports(). */
    enum { VAES = 1U << 9, VPCLMULQDQ = 1U << 10 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & VAES) || !(c & VPCLMULQDQ))
        return false;
    /* These also say whether the kernel keeps the wide registers. */
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("bmi2");
}

void gcm_set_key(const struct gcm_routines *routines, const unsigned char *key,
                 struct gcm_key_data *ret_key)
{
    routines->expand_key(key, ret_key->expanded_keys);
    routines->precompute(ret_key);
}
