#include "model/id.h"

#include <errno.h>
#include <string.h>

#include "base/rand.h"
#include "base/text.h"

struct id id_new(void)
{
    struct id id;
    do
        rand_bytes(id.bytes, sizeof(id.bytes));
    while (id_is_zero(&id));
    return id;
}

bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, ID_LEN) == 0;
}

bool id_is_zero(const struct id *id)
{
    static const struct id zero;
    return id_equal(id, &zero);
}

char *id_format(const struct id *id, char dst[static ID_TEXT_SIZE])
{
    return hex_encode(id->bytes, ID_LEN, dst);
}

int id_parse(struct span text, struct id *ret)
{
    if (text.len != 2 * ID_LEN)
        return -EINVAL;
    char folded[ID_TEXT_SIZE];
    str_copy_span(folded, sizeof(folded), text);
    str_lower(folded);
    struct id id;
    if (hex_decode(span_from(folded, text.len), id.bytes, ID_LEN) != ID_LEN || id_is_zero(&id))
        return -EINVAL;
    *ret = id;
    return 0;
}
