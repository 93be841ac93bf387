// CRC-64/NVME: folded by carry-less multiplication where the processor has it, else eight table look-ups for eight bytes.
#include "CChecksum.h"
#include "folding.h"
#include "polynomial.h"

static const uint64_t POLYNOMIAL = 0x9a6c9329ac4bc9b5ull;

// slices[k][b]: the register after byte b and k zero bytes.
static uint64_t slices[8][256];
static folding_constants constants;

__attribute__((constructor)) static void build(void) {
    for (uint64_t byte = 0; byte < 256; byte++) {
        uint64_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (uint64_t)multiply_by_x(value, POLYNOMIAL);
        slices[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            slices[slice][byte] = (slices[slice - 1][byte] >> 8) ^ slices[0][slices[slice - 1][byte] & 255];
    constants = make_folding_constants(POLYNOMIAL, 64);
}

static uint64_t by_table(uint64_t state, const uint8_t *next, size_t count) {
    for (; count >= 8; next += 8, count -= 8) {
        uint64_t word = load_little_endian_64(next) ^ state;
        state = 0;
        for (int position = 0; position < 8; position++) state ^= slices[7 - position][(word >> (8 * position)) & 255];
    }
    for (; count > 0; next++, count--) state = (state >> 8) ^ slices[0][(state ^ *next) & 255];
    return state;
}

uint64_t cchecksum_crc64nvme_portable(uint64_t crc, const void *bytes, size_t count) {
    return (uint64_t)~by_table((uint64_t)~crc, bytes, count);
}

uint64_t cchecksum_crc64nvme(uint64_t crc, const void *bytes, size_t count) {
#if defined(FOLDING_TARGET)
    if (count >= FOLDING_MINIMUM_BYTES && cchecksum_processor.multiplication) {
        uint8_t folded[FOLDED_BYTES];
        size_t taken = fold((uint64_t)~crc, bytes, count, &constants, folded);
        uint64_t state = by_table(0, folded, FOLDED_BYTES);
        return (uint64_t)~by_table(state, (const uint8_t *)bytes + taken, count - taken);
    }
#endif
    return cchecksum_crc64nvme_portable(crc, bytes, count);
}

uint64_t cchecksum_crc64nvme_combine(uint64_t first, uint64_t second, uint64_t second_byte_count) {
    return (uint64_t)combine(first, second, second_byte_count, POLYNOMIAL, 64);
}
