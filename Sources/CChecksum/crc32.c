// CRC-32/ISO-HDLC: folded by carry-less multiplication where the processor has it, else eight table look-ups for eight bytes.
#include "CChecksum.h"
#include "folding.h"
#include "polynomial.h"

static const uint32_t POLYNOMIAL = 0xedb88320u;

// slices[k][b]: the register after byte b and k zero bytes.
static uint32_t slices[8][256];
static folding_constants constants;

__attribute__((constructor)) static void build(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (uint32_t)multiply_by_x(value, POLYNOMIAL);
        slices[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            slices[slice][byte] = (slices[slice - 1][byte] >> 8) ^ slices[0][slices[slice - 1][byte] & 255];
    constants = make_folding_constants(POLYNOMIAL, 32);
}

static uint32_t by_table(uint32_t state, const uint8_t *next, size_t count) {
    for (; count >= 8; next += 8, count -= 8) {
        uint64_t word = load_little_endian_64(next) ^ state;
        state = 0;
        for (int position = 0; position < 8; position++) state ^= slices[7 - position][(word >> (8 * position)) & 255];
    }
    for (; count > 0; next++, count--) state = (state >> 8) ^ slices[0][(state ^ *next) & 255];
    return state;
}

uint32_t cchecksum_crc32_portable(uint32_t crc, const void *bytes, size_t count) {
    return (uint32_t)~by_table((uint32_t)~crc, bytes, count);
}

uint32_t cchecksum_crc32(uint32_t crc, const void *bytes, size_t count) {
#if defined(FOLDING_TARGET)
    if (count >= FOLDING_MINIMUM_BYTES && cchecksum_processor.multiplication) {
        uint8_t folded[FOLDED_BYTES];
        size_t taken = fold((uint32_t)~crc, bytes, count, &constants, folded);
        uint32_t state = by_table(0, folded, FOLDED_BYTES);
        return (uint32_t)~by_table(state, (const uint8_t *)bytes + taken, count - taken);
    }
#endif
    return cchecksum_crc32_portable(crc, bytes, count);
}

uint32_t cchecksum_crc32_combine(uint32_t first, uint32_t second, uint64_t second_byte_count) {
    return (uint32_t)combine(first, second, second_byte_count, POLYNOMIAL, 32);
}
