#pragma once
/* How shares are told to people. */
#include "api/share.h"
#include "base/buf.h"

/* Appends "its owner only", "anna and bob", "everyone who can log in", "anybody". */
void share_text_people(const struct share *share, struct buf *dst);
/* The same for an app, with the end of the workspace's own share; "(not in the template)". */
void share_text_app(const struct api_app *app, usec_t now, struct buf *dst);
/* Appends ", for another 2 h" when it ends; nothing otherwise. */
void share_text_expiry(const struct share *share, usec_t now, struct buf *dst);
