// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/model/profile.h"

// Says of a process whether its stacks can be believed: ok, partial or unsupported. The same words
// in `ps`, `doctor`, the report and the metrics.
namespace pyprof::aggregate {

// The share of whole samples from which on a process is ok.
inline constexpr double kOkPercent = 99;

// Sets ProcessInfo::coverage of every process from the profile's own samples.
void measure_coverage(model::Profile& profile);

// CPython was found in it, supported or not.
[[nodiscard]] bool runs_python(const model::ProcessInfo& process);

struct Verdict {
  model::Status status = model::Status::kOk;
  // Of a closed set. kOk: "" or "unsampled" (nothing speaks against it yet); kPartial: the flaw of
  // most samples, of model::flaw_label(); kUnsupported: a label of model::Unsupported.
  std::string_view reason;
};
inline constexpr std::string_view kUnsampled = "unsampled";

// The reason lives as long as the program.
[[nodiscard]] Verdict judge(const model::ProcessInfo& process);

// "ok", "ok (no samples yet)", "partial (97.2 %: 2.1 % python_frame_fault, 0.7 % unnamed_python)",
// "unsupported: version (CPython 3.5: not supported yet)". Text from files may be raw.
[[nodiscard]] std::string status_text(const model::ProcessInfo& process);

// Of several processes: "12 ok, 1 partial, 1 unsupported".
[[nodiscard]] std::string status_text(const model::Profile& profile);

// Processes by language, status and reason: every combination there can be, also at 0.
class StatusCounts {
 public:
  void add(const model::ProcessInfo& process);

  struct Row {
    std::string_view lang;  // "python", "native"
    std::string_view status;
    std::string_view reason;
    uint64_t processes = 0;
  };
  static constexpr std::size_t kRows =
      2 * (2 + model::kFlaws) + model::kUnsupportedReasons - 1;  // native code is never unsupported
  [[nodiscard]] std::array<Row, kRows> rows() const;

 private:
  std::array<std::array<uint64_t, 2 + model::kFlaws>, 2> readable_{};  // ok, unsampled, flaws
  std::array<uint64_t, model::kUnsupportedReasons> unsupported_{};
};

}  // namespace pyprof::aggregate
