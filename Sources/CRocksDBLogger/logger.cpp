// A logger of RocksDB that writes no file. RocksDB's own is a file in the directory of the store: on a full disk its second line trips an
// assertion, where the library is built with them (Debian's is).
#include "CRocksDBLogger.h"

#include <rocksdb/c.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>

// The C interface takes loggers and has no function that makes one. This is what it takes (db/c.cc of RocksDB since 2.8); `install` finds out
// whether it still is.
struct rocksdb_logger_t {
    std::shared_ptr<rocksdb::Logger> rep;
};

namespace {

class Lines final : public rocksdb::Logger {
  public:
    Lines(void *context, crocksdblogger_line line, crocksdblogger_release release)
        : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), context(context), line(line), release(release) {}

    ~Lines() override { release(context); }

    // The options that a store is opened with, and lines without a level, which are information.
    void LogHeader(const char *, va_list) override {}
    void Logv(const char *, va_list) override {}

    void Logv(const rocksdb::InfoLogLevel level, const char *format, va_list arguments) override {
        if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
        char text[2048];
        int count = std::vsnprintf(text, sizeof text, format, arguments);
        if (count > 0) line(context, level, text, std::min(size_t(count), sizeof text - 1));
    }

  private:
    void *const context;
    const crocksdblogger_line line;
    const crocksdblogger_release release;
};

static_assert(CROCKSDBLOGGER_WARNING == rocksdb::InfoLogLevel::WARN_LEVEL, "RocksDB's numbers");
static_assert(CROCKSDBLOGGER_ERROR == rocksdb::InfoLogLevel::ERROR_LEVEL, "RocksDB's numbers");
static_assert(CROCKSDBLOGGER_FATAL == rocksdb::InfoLogLevel::FATAL_LEVEL, "RocksDB's numbers");

}  // namespace

int crocksdblogger_install(
    rocksdb_options_t *options, void *context, crocksdblogger_line line, crocksdblogger_release release) {
    rocksdb_logger_t logger{std::make_shared<Lines>(context, line, release)};
    rocksdb_options_set_info_log(options, &logger);
    // Ours, and the one of the options.
    return logger.rep.use_count() == 2;
}
