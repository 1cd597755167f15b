#pragma once
/* Memory for nghttp2. Not for others. */
#include <nghttp2/nghttp2.h>

/* Static; may be used by any number of sessions on any thread. */
nghttp2_mem *h2_memory(void);
