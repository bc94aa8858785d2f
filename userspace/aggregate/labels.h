// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/model/profile.h"

// Samples by what they say beside their stack.
namespace pyprof::aggregate {

enum class GroupBy : uint8_t { kNone, kThread, kTask, kGil, kGc, kImport, kInterpreter };

// "thread", "task", "gil", "gc", "import", "interpreter"; kNone is "".
[[nodiscard]] std::optional<GroupBy> parse_group(std::string_view word);
[[nodiscard]] const char* group_name(GroupBy by);
// Whether the samples must have been told apart by their labels.
[[nodiscard]] bool needs_labels(GroupBy by);

// The group of a sample: `thread NAME (TID)`, `task NAME`, `gil
// held|released|wanted|free-threaded`, `gc running|idle`, `import running|idle`, `interpreter N`;
// where there is none or it isn't known a word in brackets, such as `task [none]`. Clean text; ""
// for kNone.
[[nodiscard]] std::string group_text(const model::Profile& profile, const model::Sample& sample,
                                     GroupBy by);
// The same without its first word.
[[nodiscard]] std::string group_value(const model::Profile& profile, const model::Sample& sample,
                                      GroupBy by);

// Of a sample without labels: all unknown.
[[nodiscard]] const model::Labels& labels_of(const model::Profile& profile,
                                             const model::Sample& sample);
// The words of the outputs; nullptr if unknown.
[[nodiscard]] const char* gil_text(model::Gil gil);
[[nodiscard]] const char* gc_text(model::Gc gc);
[[nodiscard]] const char* import_text(model::Import import);
// Clean text; "" if no task ran, "[unnamed]" if its name could not be read.
[[nodiscard]] std::string task_text(const model::Labels& labels);

// Only the samples that hold the GIL, and of each thread's CPU time their share.
[[nodiscard]] model::Profile only_gil_holders(model::Profile profile);

}  // namespace pyprof::aggregate
