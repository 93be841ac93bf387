#ifndef CROCKSDBLOGGER_H
#define CROCKSDBLOGGER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// As in rocksdb/c.h.
typedef struct rocksdb_options_t rocksdb_options_t;

// What a line is, as RocksDB numbers it; what is less than a warning is not passed on.
enum {
    CROCKSDBLOGGER_WARNING = 2,
    CROCKSDBLOGGER_ERROR = 3,
    CROCKSDBLOGGER_FATAL = 4,
};

// Takes a line: `count` bytes at `text`, without a zero behind them and only during the call; long lines are cut. Called on any thread,
// RocksDB's own among them, by several at once, and sometimes with its locks held: it must not block for long, nor use the database.
typedef void (*crocksdblogger_line)(void *context, int32_t level, const char *text, size_t count);

// Called once, when `context` is not used any more.
typedef void (*crocksdblogger_release)(void *context);

// Gives what RocksDB says of itself to `line` instead of a file. The options, their copies, and the databases that are opened with them share
// the logger; with the last of these `context` is released.
//
// Returns 0 if this RocksDB does not take loggers as ours are made; it must not be used then.
int crocksdblogger_install(
    rocksdb_options_t *options, void *context, crocksdblogger_line line, crocksdblogger_release release);

#ifdef __cplusplus
}
#endif

#endif
