// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/model/profile.h"

// Single questions to a profile, for scripts and agents that want no whole report.
namespace pyprof::report {

struct Query {
  std::string question;  // one of questions()
  std::string name;      // of a function, where the question is about one
  std::size_t limit = 20;
  bool full_paths = false;
};

struct Question {
  std::string_view name;
  std::string_view help;
  bool about_function = false;
};
[[nodiscard]] std::span<const Question> questions();

// One JSON object in a line: what was asked, the functions that were meant, and "rows", the
// heaviest first; shares are percent of the profile. A name means the functions called so; if there
// is none, those whose name or `file:name` holds it. kUsage for an unknown question or name. Give
// it a profile that went through aggregate::apply_view().
[[nodiscard]] Result<std::string> answer(const model::Profile& profile, const Query& query);

}  // namespace pyprof::report
