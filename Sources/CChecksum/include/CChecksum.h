#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

// Every CRC here is in its published form (initial value and final exclusive-or applied), so that `crc` is the checksum of the
// bytes before: 0 for none. `bytes` may be null if `count` is 0. All functions are pure and may run on any thread.
//
// `_portable` is what runs on a processor without the instructions; it is exported so that tests hold the two together.
// `_combine` is the checksum of a concatenation, from the checksums of its two halves and the second one's length.

// CRC-32C (Castagnoli): the one of iSCSI (RFC 3720), of our own files, and of S3's x-amz-checksum-crc32c.
uint32_t cchecksum_crc32c(uint32_t crc, const void *bytes, size_t count);
uint32_t cchecksum_crc32c_portable(uint32_t crc, const void *bytes, size_t count);
uint32_t cchecksum_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_byte_count);

// CRC-32/ISO-HDLC: the one of zlib and of S3's x-amz-checksum-crc32.
uint32_t cchecksum_crc32(uint32_t crc, const void *bytes, size_t count);
uint32_t cchecksum_crc32_portable(uint32_t crc, const void *bytes, size_t count);
uint32_t cchecksum_crc32_combine(uint32_t first, uint32_t second, uint64_t second_byte_count);

// CRC-64/NVME: the one of S3's x-amz-checksum-crc64nvme.
uint64_t cchecksum_crc64nvme(uint64_t crc, const void *bytes, size_t count);
uint64_t cchecksum_crc64nvme_portable(uint64_t crc, const void *bytes, size_t count);
uint64_t cchecksum_crc64nvme_combine(uint64_t first, uint64_t second, uint64_t second_byte_count);

// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
typedef struct {
    uint64_t v0, v1, v2, v3;
    // The last `byte_count % 8` bytes that were not yet a whole word, low byte first.
    uint64_t pending;
    uint64_t byte_count;
} cchecksum_siphash128_state;

typedef struct {
    uint64_t low, high;
} cchecksum_hash128;

// The key's 16 bytes are k0 and k1, each little-endian, as the paper has it.
cchecksum_siphash128_state cchecksum_siphash128_start(uint64_t k0, uint64_t k1);
void cchecksum_siphash128_update(cchecksum_siphash128_state *state, const void *bytes, size_t count);
// Leaves the state as it was.
cchecksum_hash128 cchecksum_siphash128_finish(const cchecksum_siphash128_state *state);

#endif
