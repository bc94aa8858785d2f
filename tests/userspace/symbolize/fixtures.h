// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>

#include <initializer_list>
#include <map>
#include <optional>
#include <string>

#include "userspace/symbolize/native_symbols.h"

// Hand-made stacks and a table of files, shared by the tests of symbolize/.
namespace pyprof::symbolize {

inline model::PythonFrame py_code(uint64_t code, int32_t lasti = 0) {
  model::PythonFrame frame;
  frame.code = code;
  frame.lasti = lasti;
  return frame;
}

inline model::PythonFrame py_entry(uint64_t address) {
  model::PythonFrame frame;
  frame.kind = model::PythonFrame::Kind::kEntry;
  frame.address = address;
  return frame;
}

// Of CPython up to 3.10.
inline model::PythonFrame py_activation(uint64_t code) {
  model::PythonFrame frame = py_code(code);
  frame.activation = true;
  return frame;
}

inline model::NativeFrame native_in(model::FileId file, uint64_t address, uint64_t cfa) {
  model::NativeFrame frame;
  frame.where = {file, address, address};
  frame.cfa = cfa;
  return frame;
}

// A stack with one anonymous native frame per CFA, innermost first.
inline model::RawStack stack_of(uint64_t sp, std::initializer_list<uint64_t> cfas,
                                std::initializer_list<model::PythonFrame> python) {
  model::RawStack stack;
  stack.sp = sp;
  for (const uint64_t cfa : cfas) {
    stack.native.push_back(native_in(0, 0x1000 + stack.native.size(), cfa));
  }
  stack.python = python;
  return stack;
}

class FakeOpener : public FileOpener {
 public:
  struct File {
    std::string path;
    bool interpreter = false;
    std::string lines_path = {};
  };

  std::optional<elf::SymbolTable> symbols(model::FileId file) override {
    ++opens;
    const auto opened = elf::ElfFile::open_path(files[file].path);
    if (!opened) return std::nullopt;
    return elf::SymbolTable::from_file(*opened);
  }
  Fd open_debug_info(model::FileId file) override {
    return Fd(::open(files[file].lines_path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  model::Module module(model::FileId file) override { return {files[file].path, "build-id"}; }
  bool is_interpreter(model::FileId file) override { return files[file].interpreter; }

  Fd open_perf_map(model::ProcessId process) override {
    return Fd(::open(perf_maps[process].c_str(), O_RDONLY | O_CLOEXEC));
  }

  std::map<model::FileId, File> files;
  std::map<model::ProcessId, std::string> perf_maps;
  int opens = 0;
};

}  // namespace pyprof::symbolize
