#include "cli/cli.h"

#include "base/mem.h"
#include "io/tls.h"

int main(int argc, char *argv[])
{
    mem_keep_buffers();
    tls_keep_buffers();
    return cli_main(argc, argv);
}
