// SPDX-License-Identifier: Apache-2.0
#include "userspace/debuginfod/fetch.h"

#include <dlfcn.h>

#include <cerrno>
#include <cstdlib>

#include "userspace/debuginfod/protocol.h"

namespace pyprof::debuginfod {
namespace {

// debuginfod_begin(3), debuginfod_find_debuginfo(3). There is no other soname than .1.
struct Library {
  void* (*begin)() = nullptr;
  int (*find)(void*, const unsigned char*, int, char**) = nullptr;
};

bool load(Library& library) {
  void* handle = ::dlopen("libdebuginfod.so.1", RTLD_NOW);
  if (handle == nullptr) return false;
  library.begin = reinterpret_cast<decltype(library.begin)>(::dlsym(handle, "debuginfod_begin"));
  library.find =
      reinterpret_cast<decltype(library.find)>(::dlsym(handle, "debuginfod_find_debuginfo"));
  return library.begin != nullptr && library.find != nullptr;
}

// Seconds without progress, seconds in all, bytes of one file.
void set_limits() {
  ::setenv("DEBUGINFOD_CACHE_PATH", ".", 1);
  ::setenv("DEBUGINFOD_TIMEOUT", "20", 1);
  ::setenv("DEBUGINFOD_MAXTIME", "240", 1);
  ::setenv("DEBUGINFOD_MAXSIZE", "2147483648", 1);
}

}  // namespace

Fetched fetch(const std::string& build_id) {
  Library library;
  if (!load(library)) return {kExitNoLibrary, Fd()};
  set_limits();
  void* client = library.begin();
  if (client == nullptr) return {kExitFailed, Fd()};
  // A length of 0: the build-id is text in hexadecimal.
  const int fd =
      library.find(client, reinterpret_cast<const unsigned char*>(build_id.c_str()), 0, nullptr);
  if (fd >= 0) return {kExitFound, Fd(fd)};
  return {fd == -ENOENT ? kExitMissing : kExitFailed, Fd()};
}

}  // namespace pyprof::debuginfod
