#include "CChecksum.h"
#include "polynomial.h"

static inline uint64_t rotate(uint64_t value, unsigned bits) { return (value << bits) | (value >> (64 - bits)); }

static inline void round_once(cchecksum_siphash128_state *s) {
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void compress(cchecksum_siphash128_state *s, uint64_t word) {
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

cchecksum_siphash128_state cchecksum_siphash128_start(uint64_t k0, uint64_t k1) {
    cchecksum_siphash128_state state = {
        k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull ^ 0xee, k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull,
        0, 0,
    };
    return state;
}

void cchecksum_siphash128_update(cchecksum_siphash128_state *state, const void *bytes, size_t count) {
    // A local copy, so that the four words stay in registers.
    cchecksum_siphash128_state local = *state;
    const uint8_t *next = bytes;
    unsigned held = local.byte_count & 7;
    local.byte_count += count;
    while (held != 0 && count > 0) {
        local.pending |= (uint64_t)*next << (8 * held);
        next++;
        count--;
        held = (held + 1) & 7;
        if (held == 0) {
            compress(&local, local.pending);
            local.pending = 0;
        }
    }
    for (; count >= 8; next += 8, count -= 8) compress(&local, load_little_endian_64(next));
    for (; count > 0; next++, count--, held++) local.pending |= (uint64_t)*next << (8 * held);
    *state = local;
}

cchecksum_hash128 cchecksum_siphash128_finish(const cchecksum_siphash128_state *state) {
    cchecksum_siphash128_state local = *state;
    compress(&local, local.pending | (local.byte_count << 56));
    local.v2 ^= 0xee;
    for (int step = 0; step < 4; step++) round_once(&local);
    cchecksum_hash128 hash;
    hash.low = local.v0 ^ local.v1 ^ local.v2 ^ local.v3;
    local.v1 ^= 0xdd;
    for (int step = 0; step < 4; step++) round_once(&local);
    hash.high = local.v0 ^ local.v1 ^ local.v2 ^ local.v3;
    return hash;
}
