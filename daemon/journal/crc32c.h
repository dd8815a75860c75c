/* CRC-32C (Castagnoli): by the processor's own instruction where it has one, else by a table. */
#ifndef MILLRACE_JOURNAL_CRC32C_H
#define MILLRACE_JOURNAL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` is the checksum of (0: of nothing), followed by these bytes. Any thread. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same, always by the table. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len);

#endif
