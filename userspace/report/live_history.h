// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "userspace/model/profile.h"

namespace pyprof::report {

// Which samples a live view is about.
struct LiveScope {
  int32_t pid = 0;       // 0 = of every process
  int32_t tid = 0;       // 0 = of every thread
  std::string function;  // live_function_id(); empty = whatever runs
  std::string name;      // of that function, to show
  bool operator==(const LiveScope&) const = default;
};

// A function's name and place, whole, so that equal ones of two files differ.
[[nodiscard]] std::string live_function_id(const model::Profile& profile,
                                           const model::Frame& frame);

// The samples in the scope; of the threads that are not, no CPU time is left either.
[[nodiscard]] model::Profile narrow(const model::Profile& profile, const LiveScope& scope);

// How functions fared since the view began. Not thread-safe.
class FunctionHistory {
 public:
  static constexpr std::size_t kMaxFunctions = 20'000;  // new ones beyond have no history

  struct Past {
    std::string name, place;  // clean
    std::string hot_place;    // of the last window it was seen in
    double self_s = 0;
    double total_s = 0;
    double usual_percent = 0;  // a running mean of its self time's share
    double now_percent = 0;    // of the last window
    double now_total_percent = 0;
  };

  // Begins anew with all there was, of which `window` is the end. Both are narrowed to one scope.
  void start(const model::Profile& before, const model::Profile& window, bool full_paths);
  // The next window, narrowed to the same scope.
  void add(const model::Profile& window);

  [[nodiscard]] const std::map<std::string, Past>& functions() const { return functions_; }

 private:
  void take(const model::Profile& profile, bool adds_time, bool is_now);
  Past* find(const std::string& id);

  bool full_paths_ = false;
  std::map<std::string, Past> functions_;  // by live_function_id()
};

}  // namespace pyprof::report
