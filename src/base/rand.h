#pragma once
/* Randomness from the kernel. Fit for keys and tokens. */
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *dst, size_t len);
uint64_t rand_u64(void);
/* Uniform in [0, below); below > 0. */
uint64_t rand_below(uint64_t below);
