/* What the files that change mappings share: the host's half of each change. Linux mm/mmap.c. */
#ifndef LINUX_ABI_MM_HOST_H
#define LINUX_ABI_MM_HOST_H

#include "linux_abi/mm.h"

/* vm.mmap_min_addr: nothing is placed below, unless asked for by name and by root. */
#define MM_MIN_ADDR UINT64_C(65536)

/* Maps at exactly window + start, with this protection of the host's. 0, or -errno with the reservation whole. */
MUST_CHECK int mm_host_map(const struct mm *mm, u64 start, u64 len, int prot, int flags, int fd, u64 off);
/* Turns a range back into reservation. */
MUST_CHECK int mm_host_unmap(const struct mm *mm, u64 start, u64 len);
/* Reserves a range if the host has nothing there. */
void mm_host_refill(const struct mm *mm, u64 start, u64 len);
/* May a mapping of this kind grow by so many bytes? RLIMIT_AS, RLIMIT_DATA. */
bool mm_within_limits(const struct task *t, u64 more, u32 prot, u32 flags);

#endif
