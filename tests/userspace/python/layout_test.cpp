// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "tests/userspace/python/interpreters.h"
#include "tests/userspace/python/target.h"
#include "userspace/python/versions.h"

// The tables of CPython 2.7 and 3.6 to 3.10 against the headers that are installed, as the C
// compiler sees them.
namespace pyprof::python {
namespace {

constexpr uint64_t kZombieDistance = 96;  // of the end of what counts of a code object

using Layout = std::map<std::string, uint64_t>;

// What cpython_layout.py prints; empty without a compiler or headers.
Layout measured(const std::string& include) {
  const std::string command = "python3 '" LAYOUT_TOOL "' '" + include + "' 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  Layout layout;
  std::array<char, 256> line{};
  while (pipe && std::fgets(line.data(), line.size(), pipe.get())) {
    std::istringstream fields(line.data());
    std::string field;
    uint64_t offset = 0;
    if (fields >> field >> offset) layout[field] = offset;
  }
  return layout;
}

void add_config(const wire_python_config& config, Layout& row) {
  row["ts_interp"] = config.ts_interp;
  row["ts_next"] = config.ts_next;
  row["ts_frame"] = config.ts_frame;
  row["ts_thread_id"] = config.ts_thread_id;
  row["interp_threads"] = config.interp_threads;
  row["frame_previous"] = config.frame_previous;
  row["frame_code"] = config.frame_code;
  row["frame_ip"] = config.frame_ip;
  row["frame_locals"] = config.frame_locals;
  row["code_argcount"] = config.code_argcount;
  row["code_nlocals"] = config.code_nlocals;
  row["code_varnames"] = config.code_varnames;
  row["code_cell2arg"] = config.code_cell2arg;
  row["code_first_line"] = config.code_first_line;
  row["code_filename"] = config.code_filename;
  row["code_qualname"] = config.code_qualname;
  row["code_linetable"] = config.code_linetable;
  row["code_zombieframe"] = config.code_flags + kZombieDistance;
  row["str_length"] = config.str_length;
  row["str_hash"] = config.str_hash;
  row["str_state"] = config.str_state;
  row["str_ascii_data"] = config.str_ascii_data;
  row["str_compact_data"] = config.str_compact_data;
  row["bytes_size"] = config.bytes_size;
  row["bytes_data"] = config.bytes_data;
}

Layout of_row(const VersionRow& row) {
  Layout layout;
  layout["runtime_bytes"] = row.runtime_bytes;
  layout["runtime_key"] = row.runtime_key;
  layout["runtime_current"] = row.runtime_current;
  layout["interpreters_head"] = row.runtime.interpreters_head;
  layout["interp_next"] = row.runtime.interp_next;
  layout["interp_modules"] = row.runtime.interp_modules;
  if (row.version >= 0x309) {
    layout["interp_id"] = row.runtime.interp_id;
    layout["interp_gc_collecting"] = row.runtime.interp_gc_collecting;
  }
  layout["function_code"] = row.runtime.function_code;
  layout["function_closure"] = row.runtime.function_closure;
  layout["function_name"] = row.runtime.function_name;
  // the same in all of them, see objects.cpp and method_names.cpp
  layout["type_name"] = 24;
  layout["type_flags"] = 168;
  layout["type_dict"] = 264;
  layout["type_mro"] = 344;
  layout["type_dict_offset"] = 288;
  add_config(row.config, layout);
  return layout;
}

TEST(LayoutTest, rows_are_what_the_headers_say) {
  int checked = 0;
  for (const auto& interpreter : testing::find_interpreters()) {
    const std::string name = testing::ask_version(interpreter);
    const auto version = static_cast<uint16_t>(testing::minor_version(name));
    if (version >= 0x30b || !interpreter.root.empty()) continue;
    testing::Target target(interpreter,
                           "import sysconfig; print(sysconfig.get_paths()['include'])");
    const Layout truth = measured(target.read_line());
    if (truth.empty()) continue;
    const auto size = truth.find("runtime_bytes");
    const VersionRow* row = find_version(version, size == truth.end() ? 0 : size->second);
    ASSERT_NE(row, nullptr) << name;
    const Layout ours = of_row(*row);
    for (const auto& [field, offset] : ours) {
      if (!truth.contains(field)) continue;
      EXPECT_EQ(offset, truth.at(field)) << field << " of " << name;
    }
    EXPECT_GE(truth.size(), 30u) << name;
    ++checked;
  }
  std::printf("layouts compared: %d\n", checked);
  if (checked == 0) GTEST_SKIP() << "no headers of CPython 2.7 or 3.6 to 3.10, or no C compiler";
}

}  // namespace
}  // namespace pyprof::python
