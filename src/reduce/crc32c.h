/* SPDX-License-Identifier: BSD-3-Clause
 * crc32c.h - CRC32C (Castagnoli polynomial, as in iSCSI, RFC 3720): by the processor's instruction where it
 * has one, else by a table of 1 KiB. */
#ifndef FRD_REDUCE_CRC32C_H
#define FRD_REDUCE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` is the checksum of (0: nothing), followed by these bytes. */
uint32_t frd_crc32c(uint32_t crc, const void *data, size_t bytes);

/* The same without the instruction: for tests. */
uint32_t frd_crc32c_scalar(uint32_t crc, const void *data, size_t bytes);

#endif
