// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/host/python_target.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/bpf/host/fake_kernel.h"
#include "tests/userspace/python/interpreters.h"

namespace pyprof::bpftest {
namespace {

constexpr int kFirstVersion = 0x306;
constexpr int kLastVersion = 0x30e;

std::map<int, testing::Interpreter> supported_interpreters() {
  std::map<int, testing::Interpreter> found;
  for (const auto& interpreter : testing::find_interpreters()) {
    const std::string name = testing::ask_version(interpreter);
    const int version = testing::minor_version(name);
    if (version < kFirstVersion || version > kLastVersion || name.ends_with("t")) continue;
    found.emplace(version, interpreter);
  }
  return found;
}

}  // namespace

PythonTarget::PythonTarget(const testing::Interpreter& interpreter, const std::string& wanted)
    : target_(interpreter, testing::read_file(STACK_TARGET)) {
  target_.write_line(wanted);
  for (std::string line; !(line = target_.read_line()).empty() && line != "ready";)
    said_.push_back(line);
  if (!said_.empty()) image_ = std::make_unique<Image>(target_.pid());
}

std::string PythonTarget::problem() const {
  return image_ == nullptr ? "the script said nothing" : image_->error();
}

void for_each_interpreter(const std::string& wanted,
                          const std::function<void(PythonTarget&)>& check) {
  static const auto interpreters = supported_interpreters();
  if (interpreters.empty()) GTEST_SKIP() << "no CPython from 3.6 to 3.14 found";
  for (const auto& [version, interpreter] : interpreters) {
    SCOPED_TRACE(interpreter.root + interpreter.path);
    PythonTarget target(interpreter, wanted);
    ASSERT_EQ(target.problem(), "");
    install(target.image());
    ASSERT_TRUE(install_python(target.image()));
    check(target);
    FakeKernel::get().reset();
  }
}

}  // namespace pyprof::bpftest
