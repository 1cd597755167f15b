#include "model/password.h"

#include <errno.h>
#include <stdbool.h>

#include "base/text.h"

static bool one_character_repeated(struct span text)
{
    for (size_t i = 1; i < text.len; i++)
        if (text.p[i] != text.p[0])
            return false;
    return true;
}

int password_check(struct span password, struct err *err)
{
    if (password.len > PASSWORD_MAX_LEN)
        return err_set(err, -EINVAL, "the password is longer than %d bytes", PASSWORD_MAX_LEN);
    ssize_t chars = utf8_count(password);
    if (chars < 0)
        return err_set(err, -EINVAL, "the password is not valid UTF-8");
    if (text_has_control(password))
        return err_set(err, -EINVAL, "the password has a control character in it");
    if (chars < PASSWORD_MIN_LEN)
        return err_set(err, -EINVAL, "the password is shorter than %d characters",
                       PASSWORD_MIN_LEN);
    if (one_character_repeated(password))
        return err_set(err, -EINVAL, "the password is one character repeated");
    return 0;
}
