#include "polynomial.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

processor_features cchecksum_processor = {0, 0};

// Priority 101 is the first of those open to programs: the tables of the other files are built at the default priority, later.
__attribute__((constructor(101))) static void detect(void) {
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return;
    const unsigned pclmulqdq = 1u << 1, sse41 = 1u << 19, sse42 = 1u << 20;
    cchecksum_processor.crc32c = (ecx & sse42) != 0;
    cchecksum_processor.multiplication = (ecx & pclmulqdq) != 0 && (ecx & sse41) != 0;
#elif defined(__aarch64__) && defined(__linux__)
    const unsigned long pmull = 1ul << 4, crc32 = 1ul << 7;
    unsigned long capabilities = getauxval(AT_HWCAP);
    cchecksum_processor.crc32c = (capabilities & crc32) != 0;
    cchecksum_processor.multiplication = (capabilities & pmull) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
    cchecksum_processor.crc32c = 1;
    cchecksum_processor.multiplication = 1;
#endif
}
