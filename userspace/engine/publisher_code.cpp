// SPDX-License-Identifier: Apache-2.0
// What a publisher reads from the memory of processes.
#include <algorithm>

#include "userspace/engine/deadline.h"
#include "userspace/engine/publisher.h"
#include "userspace/python/code_object.h"
#include "userspace/python/method_names.h"

namespace pyprof::engine {

namespace {

constexpr std::size_t kMaxCodes = 4'096;
constexpr auto kReadLimit = std::chrono::milliseconds(100);

}  // namespace

void Publisher::complete(model::CodeObject code, const CodeDone& done) {
  {
    const std::lock_guard lock(mutex_);
    if (codes_.size() >= kMaxCodes) return;
    codes_.emplace_back(std::move(code), done);
  }
  work_.notify_one();
}

void Publisher::name_methods(std::vector<model::CodeObject*>& codes) {
  const auto same = [](const auto* a, const auto* b) { return a->process < b->process; };
  std::stable_sort(codes.begin(), codes.end(), same);
  for (auto first = codes.begin(); first != codes.end();) {
    const auto end = std::upper_bound(first, codes.end(), *first, same);
    name_methods_of_one(std::span(first, end));
    first = end;
  }
}

// The reader may outlive this call: all that it touches is its own.
void Publisher::name_methods_of_one(std::span<model::CodeObject* const> codes) {
  const auto process = codes.front()->process;
  const auto pid = codes.front()->pid;
  const auto runtime = directory_.python_runtime(process);
  if (!runtime || directory_.live_process(pid) != process) return;
  std::vector<model::CodeObject> asked;
  for (const auto* code : codes)
    asked.push_back(*code);
  const auto names = within(kReadLimit, [pid, runtime = *runtime, asked = std::move(asked)] {
    const python::ProcessMemory memory(pid);
    python::MethodFinder finder(memory, runtime.config, runtime.offsets);
    std::vector<std::optional<std::string>> found;
    for (const auto& code : asked)
      found.push_back(finder.find(code));
    return found;
  });
  for (std::size_t i = 0; names && i < codes.size(); ++i) {
    if ((*names)[i]) codes[i]->qualname = *(*names)[i];
  }
}

// The address may hold another object by now: it is taken only if what was captured agrees.
void Publisher::read_code(const model::CodeObject& code, const CodeDone& done) {
  const auto runtime = directory_.python_runtime(code.process);
  if (!runtime || directory_.live_process(code.pid) != code.process) return;
  auto read = within(kReadLimit, [pid = code.pid, config = runtime->config, at = code.address] {
    const python::ProcessMemory memory(pid);
    return python::read_code(memory, config, at);
  });
  if (!read || !read->ok()) return;
  model::CodeObject whole = std::move(**read);
  const auto known = [](const std::string& part, const std::string& all) {
    return all.compare(0, part.size(), part) == 0;
  };
  if (whole.first_line != code.first_line || !known(code.line_table, whole.line_table)) return;
  if (code.complete && !known(code.qualname, whole.qualname)) return;
  if (code.method && !code.qualname.empty()) whole.qualname = code.qualname;
  whole.process = code.process;
  whole.pid = code.pid;
  whole.id = code.id;
  whole.address = code.address;
  whole.version = code.version;
  done(std::move(whole));
}

}  // namespace pyprof::engine
