// SPDX-License-Identifier: Apache-2.0
// embed_python LIBPYTHON ARGS...: runs Python from a libpython that is loaded by dlopen(), as
// embedders do.
#include <dlfcn.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  auto* run = reinterpret_cast<int (*)(int, char**)>(dlsym(library, "Py_BytesMain"));
  return run == nullptr ? 2 : run(argc - 1, argv + 1);
}
