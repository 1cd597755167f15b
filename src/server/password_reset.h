#pragma once
/*
 * A new password without the API, for the administrator who forgot the only one there is: whoever
 * may write to the data folder is the deployment's owner anyway.
 */
#include "base/err.h"
#include "base/span.h"

/*
 * Sets the user's password in the store of `data_dir`, which no server may be using meanwhile,
 * ends the user's sessions and puts that on record. `user` is a user name in its stored form, the
 * password was checked by the caller (model/password.h). Blocks; for a program that does this and
 * ends.
 *
 * 0; negative with a text, and nothing is changed: -ENOENT (no data folder of a server, or no such
 * user), -EBUSY (a server runs), -EINVAL (the password cannot be hashed), what store_open() tells.
 * Only -EIO may come after the change, when it could not be put on record; the text says so.
 */
int server_password_reset(const char *data_dir, const char *user, struct span password,
                          struct err *err);
