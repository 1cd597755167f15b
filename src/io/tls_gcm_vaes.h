#pragma once
/*
 * AES-GCM (NIST SP 800-38D) by the routines for VAES and AVX-512 of Intel's Multi-Buffer Crypto
 * library. Not for others than the provider; only built where the library is.
 */
#include <stdbool.h>
#include <stddef.h>
/* Without the library's old names, which have no prefix. */
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

enum { GCM_IV_LEN = 12, GCM_TAG_LEN = 16, GCM_KEY_ALIGN = 64 };

/* `key` and `stream` below are the library's, the former aligned to GCM_KEY_ALIGN. */
struct gcm_routines {
    size_t key_len;
    void (*expand_key)(const void *key, void *ret_round_keys);
    aes_gcm_precomp_t precompute; /* once the round keys are there */
    aes_gcm_init_t start;         /* with IV and all of the associated data */
    aes_gcm_enc_dec_update_t seal, open;
    aes_gcm_enc_dec_finalize_t finish_sealing, finish_opening; /* give the tag */
};

extern const struct gcm_routines gcm_vaes_128, gcm_vaes_256;

/* Whether this processor (and its kernel) has all that the routines use. */
bool gcm_vaes_runs_here(void);

void gcm_set_key(const struct gcm_routines *routines, const unsigned char *key,
                 struct gcm_key_data *ret_key);
