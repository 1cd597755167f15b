#pragma once
/* Text for HTML pages. */
#include "base/buf.h"

/*
 * Appends text so that it is text in an element and in an attribute value with double quotes: <>&"
 * are replaced. 0, or -ENOBUFS: a part of it may have been appended then.
 */
int html_append(struct buf *dst, const char *text);
