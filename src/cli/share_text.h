#pragma once
/* How shares are told to people. */
#include "api/share.h"
#include "base/buf.h"

/* Appends "its owner only", "anna and bob", "everyone who can log in", "anybody". */
void share_text_people(const struct port_share *share, struct buf *dst);
/* Appends ", for another 2 h" when it ends; nothing otherwise. */
void share_text_expiry(const struct port_share *share, usec_t now, struct buf *dst);
