// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/hot_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "userspace/aggregate/call_tree.h"

namespace pyprof::report {
namespace {

using aggregate::CallNode;
using aggregate::CallTree;

constexpr std::size_t kLeastShared = 3;
constexpr std::size_t kMaxFrames = 64;
constexpr std::size_t kShownOuter = 16;  // of a path that is too long; the rest from its inner end

std::vector<std::string> path_frames(const CallTree& tree, uint32_t node) {
  std::vector<std::string> frames;
  for (; node != 0; node = tree.nodes()[node].parent) {
    frames.push_back(tree.name(tree.nodes()[node]).text);
  }
  std::reverse(frames.begin(), frames.end());
  return frames;
}

std::vector<std::string> fold_recursion(std::vector<std::string> frames) {
  std::vector<std::string> folded;
  for (std::size_t i = 0; i < frames.size();) {
    std::size_t end = i + 1;
    while (end < frames.size() && frames[end] == frames[i])
      ++end;
    folded.push_back(end - i > 1 ? fmt::format("{} x{}", frames[i], end - i) : frames[i]);
    i = end;
  }
  return folded;
}

std::vector<uint32_t> by_value(const std::map<uint32_t, uint64_t>& thread_values) {
  std::vector<uint32_t> threads;
  for (const auto& [thread, value] : thread_values)
    threads.push_back(thread);
  std::stable_sort(threads.begin(), threads.end(), [&](uint32_t a, uint32_t b) {
    return thread_values.at(a) > thread_values.at(b);
  });
  return threads;
}

std::size_t shared_frames(const HotPath& a, const HotPath& b) {
  const auto [end, unused] =
      std::mismatch(a.frames.begin(), a.frames.end(), b.frames.begin(), b.frames.end());
  return static_cast<std::size_t>(end - a.frames.begin());
}

// The frames from `first` on, after `start` if that is not empty.
std::string path_text(const std::vector<std::string>& frames, std::size_t first,
                      const std::string& start) {
  std::vector<std::string> shown;
  if (!start.empty()) shown.push_back(start);
  shown.insert(shown.end(), frames.begin() + static_cast<std::ptrdiff_t>(first), frames.end());
  if (shown.size() > kMaxFrames) {
    const auto cut = shown.begin() + kShownOuter;
    const auto rest = shown.end() - (kMaxFrames - kShownOuter);
    *cut = fmt::format("[{} frames]", rest - cut);
    shown.erase(cut + 1, rest);
  }
  return fmt::format("{}", fmt::join(shown, " > "));
}

}  // namespace

std::vector<HotPath> hot_paths(const model::Profile& profile, const aggregate::Summary& summary,
                               std::size_t limit, bool full_paths) {
  aggregate::TreeOptions options;
  options.text.full_paths = full_paths;
  const CallTree tree(profile, options);
  std::map<uint32_t, std::map<uint32_t, uint64_t>> values;  // node -> thread -> value
  std::map<uint32_t, uint64_t> sums;
  for (std::size_t i = 0; i < profile.samples.size(); ++i) {
    const uint64_t value = aggregate::sample_value(profile.samples[i], summary);
    values[tree.sample_nodes()[i]][profile.samples[i].thread] += value;
    sums[tree.sample_nodes()[i]] += value;
  }
  std::vector<std::pair<uint64_t, uint32_t>> sorted;
  for (const auto& [node, sum] : sums)
    sorted.emplace_back(sum, node);
  std::sort(sorted.begin(), sorted.end(), [&tree](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first > b.first;
    return path_frames(tree, a.second) < path_frames(tree, b.second);
  });
  sorted.resize(std::min(sorted.size(), limit));
  std::vector<HotPath> paths;
  for (const auto& [sum, node] : sorted) {
    paths.push_back({sum, by_value(values[node]), fold_recursion(path_frames(tree, node))});
  }
  return paths;
}

std::vector<std::string> hot_path_texts(const std::vector<HotPath>& paths) {
  std::vector<std::string> texts;
  std::vector<std::size_t> whole;  // paths that do not refer to another: no chains to follow
  for (std::size_t i = 0; i < paths.size(); ++i) {
    std::size_t shared = 0;
    std::size_t with = 0;
    for (const std::size_t other : whole) {
      const std::size_t frames = shared_frames(paths[i], paths[other]);
      if (frames <= shared) continue;
      shared = frames;
      with = other;
    }
    const bool refers = shared >= kLeastShared;
    if (!refers) whole.push_back(i);
    const std::string start =
        refers ? fmt::format("[as P{} to {}]", with + 1, paths[i].frames[shared - 1]) : "";
    texts.push_back(path_text(paths[i].frames, refers ? shared : 0, start));
  }
  return texts;
}

}  // namespace pyprof::report
