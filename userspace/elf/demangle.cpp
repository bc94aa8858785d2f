// SPDX-License-Identifier: Apache-2.0
// libiberty.h would declare a basename() of its own, which clashes with that of <cstring>.
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

#include <algorithm>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "userspace/elf/symbols.h"

namespace pyprof::elf {
namespace {

constexpr std::size_t kMaxInputBytes = 4 * 1024;
constexpr std::size_t kMaxOutputBytes = 16 * 1024;
// Each back reference of a D name can double its length.
constexpr std::ptrdiff_t kMaxDBackReferences = 24;
constexpr int kOptions = DMGL_PARAMS | DMGL_ANSI;
// The limit would leave every C++ name over 1 KiB mangled. The input's cap bounds the recursion as
// well.
constexpr int kCxxOptions = kOptions | DMGL_NO_RECURSE_LIMIT;

// Where the demanglers of libiberty write. A name of 4 KiB can stand for gigabytes and their
// callback can't ask them to stop, so a full sink jumps out. They are C and keep their work on the
// stack: nothing is skipped but, for hostile Rust names, one small buffer.
struct Sink {
  std::jmp_buf full;
  std::size_t bytes = 0;
  char text[kMaxOutputBytes];
};

void append(const char* text, std::size_t bytes, void* opaque) {
  if (bytes == 0) return;  // then the demangler for Rust may pass no text at all
  auto& sink = *static_cast<Sink*>(opaque);
  const std::size_t room = kMaxOutputBytes - sink.bytes;
  std::memcpy(sink.text + sink.bytes, text, std::min(bytes, room));
  sink.bytes += std::min(bytes, room);
  if (bytes > room) std::longjmp(sink.full, 1);
}

using Demangler = int(const char*, int, demangle_callbackref, void*);

// False if the name is not of that kind. No object with a destructor may live in here: see Sink.
bool demangle_into(Sink& sink, const char* name, int options, Demangler* demangler) {
  sink.bytes = 0;
  if (setjmp(sink.full) != 0) {
    std::memcpy(sink.text + kMaxOutputBytes - 3, "...", 3);
    return true;
  }
  return demangler(name, options, append, &sink) != 0 && sink.bytes > 0;
}

std::string demangle_d(const std::string& name) {
  if (std::count(name.begin(), name.end(), 'Q') > kMaxDBackReferences) return name;
  const std::unique_ptr<char, decltype(&std::free)> text(dlang_demangle(name.c_str(), kOptions),
                                                         &std::free);
  if (text == nullptr) return name;
  const std::string_view whole(text.get());
  if (whole.size() <= kMaxOutputBytes) return std::string(whole);
  return std::string(whole.substr(0, kMaxOutputBytes - 3)) + "...";
}

}  // namespace

std::string demangle(std::string_view name) {
  if (name.size() > kMaxInputBytes) return std::string(name);
  const std::string plain(name.substr(0, name.find('@', 1)));
  if (plain.starts_with("_D")) return demangle_d(plain);
  if (!plain.starts_with("_Z") && !plain.starts_with("_R") && !plain.starts_with("_GLOBAL_")) {
    return plain;
  }
  const auto sink = std::make_unique<Sink>();
  if (demangle_into(*sink, plain.c_str(), kOptions, rust_demangle_callback) ||
      demangle_into(*sink, plain.c_str(), kCxxOptions, cplus_demangle_v3_callback)) {
    return {sink->text, sink->bytes};
  }
  return plain;
}

}  // namespace pyprof::elf
