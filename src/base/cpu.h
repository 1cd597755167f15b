#pragma once
/* What the processor is good at. */
#include <stdbool.h>

/* AES-GCM in hardware: then it is several times as fast as ChaCha20-Poly1305, else slower. */
bool cpu_has_aes(void);
