// CRC-32C by the processor's instruction, eight bytes at a time. The instruction takes three cycles and one can start in each,
// so three independent streams run at three times the speed of one; their registers are joined by multiplying with x^(8n).
#include "CChecksum.h"
#include "polynomial.h"

enum { POLYNOMIAL = 0x82f63b78u, LONG_STREAM = 2048, SHORT_STREAM = 256 };

// slices[k][b]: the register after byte b and k zero bytes.
static uint32_t slices[8][256];
// shift_*[k][b]: (b << 8k) * x^(8 * stream length), so that four look-ups move a register over a whole stream.
static uint32_t shift_long[4][256];
static uint32_t shift_short[4][256];

static void build_shift(uint32_t table[4][256], uint64_t byte_count) {
    uint64_t power = power_of_bytes(byte_count, POLYNOMIAL, 32);
    for (unsigned position = 0; position < 4; position++)
        for (uint32_t byte = 0; byte < 256; byte++)
            table[position][byte] = (uint32_t)multiply(power, (uint64_t)byte << (8 * position), POLYNOMIAL, 32);
}

__attribute__((constructor)) static void build(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (uint32_t)multiply_by_x(value, POLYNOMIAL);
        slices[0][byte] = value;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            slices[slice][byte] = (slices[slice - 1][byte] >> 8) ^ slices[0][slices[slice - 1][byte] & 255];
    build_shift(shift_long, LONG_STREAM);
    build_shift(shift_short, SHORT_STREAM);
}

uint32_t cchecksum_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    uint32_t state = ~crc;
    for (; count >= 8; next += 8, count -= 8) {
        uint64_t word = load_little_endian_64(next) ^ state;
        state = 0;
        for (int position = 0; position < 8; position++) state ^= slices[7 - position][(word >> (8 * position)) & 255];
    }
    for (; count > 0; next++, count--) state = (state >> 8) ^ slices[0][(state ^ *next) & 255];
    return ~state;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HARDWARE_TARGET __attribute__((target("sse4.2")))
#define STEP_64(state, word) _mm_crc32_u64((state), (word))
#define STEP_8(state, byte) _mm_crc32_u8((uint32_t)(state), (byte))
#elif defined(__aarch64__)
#include <arm_acle.h>
#define HARDWARE_TARGET __attribute__((target("crc")))
#define STEP_64(state, word) __crc32cd((uint32_t)(state), (word))
#define STEP_8(state, byte) __crc32cb((uint32_t)(state), (byte))
#endif

#if defined(HARDWARE_TARGET)

static inline uint64_t shifted(uint64_t state, uint32_t table[4][256]) {
    return table[0][state & 255] ^ table[1][(state >> 8) & 255] ^ table[2][(state >> 16) & 255] ^ table[3][(state >> 24) & 255];
}

// Takes three streams of `length` bytes, a multiple of eight, from `next`.
HARDWARE_TARGET static inline uint64_t three_streams(
    uint64_t first, const uint8_t *next, size_t length, uint32_t table[4][256]) {
    uint64_t second = 0, third = 0;
    for (size_t offset = 0; offset < length; offset += 8) {
        first = STEP_64(first, load_little_endian_64(next + offset));
        second = STEP_64(second, load_little_endian_64(next + length + offset));
        third = STEP_64(third, load_little_endian_64(next + 2 * length + offset));
    }
    return shifted(shifted(first, table) ^ second, table) ^ third;
}

HARDWARE_TARGET static uint32_t hardware(uint32_t crc, const uint8_t *next, size_t count) {
    uint64_t state = (uint32_t)~crc;
    for (; count >= 3 * LONG_STREAM; next += 3 * LONG_STREAM, count -= 3 * LONG_STREAM)
        state = three_streams(state, next, LONG_STREAM, shift_long);
    for (; count >= 3 * SHORT_STREAM; next += 3 * SHORT_STREAM, count -= 3 * SHORT_STREAM)
        state = three_streams(state, next, SHORT_STREAM, shift_short);
    for (; count >= 8; next += 8, count -= 8) state = STEP_64(state, load_little_endian_64(next));
    for (; count > 0; next++, count--) state = STEP_8(state, *next);
    return ~(uint32_t)state;
}

#endif

uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t count) {
#if defined(HARDWARE_TARGET)
    if (cchecksum_processor.crc32c) return hardware(crc, bytes, count);
#endif
    return cchecksum_crc32c_portable(crc, bytes, count);
}

uint32_t cchecksum_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_byte_count) {
    return (uint32_t)combine(first, second, second_byte_count, POLYNOMIAL, 32);
}
