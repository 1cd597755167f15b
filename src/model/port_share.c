#include "model/port_share.h"

void port_share_deinit(struct port_share *share)
{
    text_list_deinit(&share->users);
}
