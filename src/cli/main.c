#include "cli/cli.h"

#include "base/mem.h"

int main(int argc, char *argv[])
{
    mem_keep_buffers();
    return cli_main(argc, argv);
}
