#pragma once
/*
 * adit's section in a configuration file of ssh, between two marker lines. Pure: text in, text
 * out. Whatever is not the section is kept byte by byte.
 */
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/*
 * Appends `text` with the section set to `body` (lines, without markers) to `dst`: where it is,
 * else at the top, because ssh takes the first value that it finds. 0; -EINVAL: a marker alone,
 * twice, or in the wrong order, with a text that names lines; -ENOBUFS.
 */
int ssh_section_put(struct span text, struct span body, struct buf *dst, struct err *err);
/* Appends `text` without the section, as it was before. 0, -EINVAL as above, or -ENOBUFS. */
int ssh_section_remove(struct span text, struct buf *dst, struct err *err);

/*
 * The first line before the section that sets something for its hosts which the section sets too,
 * so that it would count instead. Its number from 1 on, and the line (borrowed); 0: none.
 */
size_t ssh_section_shadowed(struct span text, struct span *ret_line);
