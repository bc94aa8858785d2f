// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/load.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/base/fd.h"
#include "userspace/import/folded.h"
#include "userspace/import/perf_script.h"
#include "userspace/import/pprof.h"

namespace pyprof::importer {
namespace {

constexpr std::size_t kPiece = 1U << 20;

std::string shown(const std::string& path) {
  return path == "-" ? "standard input" : "'" + aggregate::clean_text(path) + "'";
}

Error too_large(std::size_t max_bytes) {
  return Error{"is larger than " + std::to_string(max_bytes >> 20) + " MiB"};
}

Result<std::string> read_all(int fd, std::size_t max_bytes) {
  std::string bytes;
  while (true) {
    const std::size_t used = bytes.size();
    bytes.resize(used + kPiece);
    const ssize_t got = ::read(fd, bytes.data() + used, kPiece);
    if (got < 0 && errno != EINTR) return errno_error("can't be read", errno);
    bytes.resize(used + static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    if (got == 0) return bytes;
    if (bytes.size() > max_bytes) return too_large(max_bytes);
  }
}

struct Inflater {
  Inflater() { ready = inflateInit2(&stream, 15 + 16) == Z_OK; }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream); }
  z_stream stream = {};
  bool ready = false;
};

Result<std::string> gunzip(std::string& bytes, std::size_t max_bytes) {
  Inflater inflater;
  std::string out;
  inflater.stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  inflater.stream.avail_in = static_cast<uInt>(bytes.size());
  for (int state = inflater.ready ? Z_OK : Z_MEM_ERROR; state != Z_STREAM_END;) {
    if (state != Z_OK) return Error{"is not whole: its compressed data ends or breaks"};
    const std::size_t used = out.size();
    out.resize(used + kPiece);
    inflater.stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    inflater.stream.avail_out = kPiece;
    state = inflate(&inflater.stream, Z_NO_FLUSH);
    out.resize(used + kPiece - inflater.stream.avail_out);
    if (out.size() > max_bytes) return too_large(max_bytes);
  }
  return out;
}

// Protocol buffers begin with field numbers and lengths, texts with neither.
bool is_text(std::string_view bytes) {
  return std::none_of(
      bytes.begin(),
      bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(bytes.size(), 256)),
      [](char c) { return static_cast<unsigned char>(c) < 9; });
}

Result<model::Profile> parse(int fd, const LoadLimits& limits) {
  auto bytes = read_all(fd, limits.max_bytes);
  if (!bytes) return bytes.error();
  if (bytes->starts_with("\x1f\x8b")) {
    bytes = gunzip(*bytes, limits.max_bytes);
    if (!bytes) return bytes.error();
  }
  if (bytes->empty()) return Error{"is empty"};
  if (!is_text(*bytes)) return from_pprof(*bytes);
  return looks_like_perf_script(*bytes) ? from_perf_script(*bytes) : from_folded(*bytes);
}

}  // namespace

Result<model::Profile> load_profile(const std::string& path, const LoadLimits& limits) {
  const Fd file(path == "-" ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (path != "-" && !file.valid()) return errno_error("opening " + shown(path), errno);
  auto profile = parse(path == "-" ? STDIN_FILENO : file.get(), limits);
  if (profile) return profile;
  Error error = profile.error();
  error.message = shown(path) + " " + error.message;
  return error;
}

}  // namespace pyprof::importer
