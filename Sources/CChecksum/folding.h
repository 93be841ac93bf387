#ifndef CCHECKSUM_FOLDING_H
#define CCHECKSUM_FOLDING_H

// A CRC of any width up to 64 by carry-less multiplication (Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction", Intel, 2009), for CRCs without an instruction of their own.
//
// Sixteen bytes loaded as they lie are a polynomial of degree 127, reflected: L * x^64 + H, L the low half. To carry them D
// bits forward, multiply by x^D mod P, half by half:  L * x^(D+64) + H * x^D.  A reflected product of two 64-bit halves comes
// out one bit low, that is multiplied by x, so the constants are x^(D+63) and x^(D-1). Four registers keep the multiplier busy;
// at the end they become one, and those sixteen bytes, which leave the same remainder as all that went in, are handed to the
// table-driven code with an empty register.

#include "polynomial.h"

enum { FOLDING_MINIMUM_BYTES = 128, FOLDED_BYTES = 16 };

typedef struct {
    uint64_t by_64_bytes_low, by_64_bytes_high;
    uint64_t by_16_bytes_low, by_16_bytes_high;
} folding_constants;

// x^exponent mod polynomial, aligned to the top of 64 bits, where a 64-bit reflected polynomial has its low powers.
static inline uint64_t folding_power(unsigned exponent, uint64_t polynomial, unsigned width) {
    uint64_t value = 1ull << (width - 1);
    for (unsigned step = 0; step < exponent; step++) value = multiply_by_x(value, polynomial);
    return value << (64 - width);
}

static inline folding_constants make_folding_constants(uint64_t polynomial, unsigned width) {
    folding_constants constants = {
        folding_power(512 + 63, polynomial, width), folding_power(512 - 1, polynomial, width),
        folding_power(128 + 63, polynomial, width), folding_power(128 - 1, polynomial, width),
    };
    return constants;
}

#if defined(__x86_64__)

#include <smmintrin.h>
#include <wmmintrin.h>

#define FOLDING_TARGET __attribute__((target("pclmul,sse4.1")))

typedef __m128i folding_register;

FOLDING_TARGET static inline folding_register folding_load(const uint8_t *bytes) {
    return _mm_loadu_si128((const __m128i *)bytes);
}
FOLDING_TARGET static inline folding_register folding_make(uint64_t low, uint64_t high) {
    return _mm_set_epi64x((long long)high, (long long)low);
}
FOLDING_TARGET static inline folding_register folding_xor(folding_register left, folding_register right) {
    return _mm_xor_si128(left, right);
}
FOLDING_TARGET static inline folding_register folding_carry(folding_register value, folding_register constants) {
    return _mm_xor_si128(_mm_clmulepi64_si128(value, constants, 0x00), _mm_clmulepi64_si128(value, constants, 0x11));
}
FOLDING_TARGET static inline void folding_store(uint8_t *bytes, folding_register value) {
    _mm_storeu_si128((__m128i *)bytes, value);
}

#elif defined(__aarch64__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

#include <arm_neon.h>

#define FOLDING_TARGET __attribute__((target("aes")))

typedef uint64x2_t folding_register;

FOLDING_TARGET static inline folding_register folding_load(const uint8_t *bytes) {
    return vreinterpretq_u64_u8(vld1q_u8(bytes));
}
FOLDING_TARGET static inline folding_register folding_make(uint64_t low, uint64_t high) {
    return vcombine_u64(vcreate_u64(low), vcreate_u64(high));
}
FOLDING_TARGET static inline folding_register folding_xor(folding_register left, folding_register right) {
    return veorq_u64(left, right);
}
FOLDING_TARGET static inline folding_register folding_carry(folding_register value, folding_register constants) {
    poly128_t low = vmull_p64((poly64_t)vgetq_lane_u64(value, 0), (poly64_t)vgetq_lane_u64(constants, 0));
    poly128_t high = vmull_p64((poly64_t)vgetq_lane_u64(value, 1), (poly64_t)vgetq_lane_u64(constants, 1));
    return veorq_u64(vreinterpretq_u64_p128(low), vreinterpretq_u64_p128(high));
}
FOLDING_TARGET static inline void folding_store(uint8_t *bytes, folding_register value) {
    vst1q_u8(bytes, vreinterpretq_u8_u64(value));
}

#endif

#if defined(FOLDING_TARGET)

// Folds the register and the first bytes, as many sixteens as there are, into `folded`; returns how many bytes that took.
// `count` is at least FOLDING_MINIMUM_BYTES.
FOLDING_TARGET static size_t fold(
    uint64_t state, const uint8_t *bytes, size_t count, const folding_constants *constants, uint8_t folded[FOLDED_BYTES]) {
    const folding_register by_64 = folding_make(constants->by_64_bytes_low, constants->by_64_bytes_high);
    const folding_register by_16 = folding_make(constants->by_16_bytes_low, constants->by_16_bytes_high);
    const uint8_t *next = bytes + 64;
    size_t left = count - 64;
    folding_register a = folding_xor(folding_load(bytes), folding_make(state, 0));
    folding_register b = folding_load(bytes + 16), c = folding_load(bytes + 32), d = folding_load(bytes + 48);
    for (; left >= 64; next += 64, left -= 64) {
        a = folding_xor(folding_carry(a, by_64), folding_load(next));
        b = folding_xor(folding_carry(b, by_64), folding_load(next + 16));
        c = folding_xor(folding_carry(c, by_64), folding_load(next + 32));
        d = folding_xor(folding_carry(d, by_64), folding_load(next + 48));
    }
    b = folding_xor(folding_carry(a, by_16), b);
    c = folding_xor(folding_carry(b, by_16), c);
    d = folding_xor(folding_carry(c, by_16), d);
    for (; left >= 16; next += 16, left -= 16) d = folding_xor(folding_carry(d, by_16), folding_load(next));
    folding_store(folded, d);
    return count - left;
}

#endif

#endif
