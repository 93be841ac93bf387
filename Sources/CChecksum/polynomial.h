#ifndef CCHECKSUM_POLYNOMIAL_H
#define CCHECKSUM_POLYNOMIAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Arithmetic on polynomials over GF(2), reflected as CRCs are: of `width` bits, bit `width - 1` is the coefficient of x^0 and
// bit 0 that of x^(width-1). `polynomial` is the CRC's, without its leading term.

// value * x mod polynomial
static inline uint64_t multiply_by_x(uint64_t value, uint64_t polynomial) {
    return (value >> 1) ^ ((value & 1) ? polynomial : 0);
}

// left * right mod polynomial
static inline uint64_t multiply(uint64_t left, uint64_t right, uint64_t polynomial, unsigned width) {
    uint64_t product = 0;
    for (uint64_t bit = 1ull << (width - 1); bit != 0; bit >>= 1) {
        if (left & bit) product ^= right;
        right = multiply_by_x(right, polynomial);
    }
    return product;
}

// x^(8 * byte_count) mod polynomial: what appending so many zero bytes multiplies a register by.
static inline uint64_t power_of_bytes(uint64_t byte_count, uint64_t polynomial, unsigned width) {
    uint64_t result = 1ull << (width - 1);
    uint64_t square = 1ull << (width - 1 - 8);
    for (; byte_count != 0; byte_count >>= 1) {
        if (byte_count & 1) result = multiply(result, square, polynomial, width);
        square = multiply(square, square, polynomial, width);
    }
    return result;
}

// The checksum of a concatenation. As with zlib's: the all-ones initial value and final exclusive-or cancel out, because both
// checksums carry them.
static inline uint64_t combine(
    uint64_t first, uint64_t second, uint64_t second_byte_count, uint64_t polynomial, unsigned width) {
    return multiply(power_of_bytes(second_byte_count, polynomial, width), first, polynomial, width) ^ second;
}

static inline uint64_t load_little_endian_64(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

// What this processor can do. Filled in before main.
typedef struct {
    int crc32c;          // an instruction for CRC-32C
    int multiplication;  // a carry-less multiplication of 64 by 64 bits
} processor_features;

extern processor_features cchecksum_processor;

#endif
