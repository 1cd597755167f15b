/*
 * Loading a program and its libraries maps far more of their code than runs afterwards: the kernel
 * maps the neighbours of each page it faults in (fault-around, 64 KiB). Code segments are clean
 * and backed by their files, so that dropping them loses nothing; MADV_RANDOM keeps the kernel from
 * mapping around again. The price is some hundred minor faults.
 */
#include "agent/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static void trim_segment(uintptr_t start, uintptr_t end)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    start = (start + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (start >= end)
        return;
    madvise((void *)start, end - start, MADV_RANDOM);
    madvise((void *)start, end - start, MADV_DONTNEED);
}

static int trim_object(struct dl_phdr_info *info, size_t size, void *ud)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        trim_segment(start, start + segment->p_memsz);
    }
    return 0;
}

void footprint_trim(void)
{
    malloc_trim(0);
    dl_iterate_phdr(trim_object, NULL);
}
