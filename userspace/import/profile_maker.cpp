// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/profile_maker.h"

#include <algorithm>

namespace pyprof::importer {

uint32_t ProfileMaker::module(const std::string& path, const std::string& build_id) {
  const auto number = static_cast<uint32_t>(profile_.modules.size() + 1);
  const auto [at, is_new] = modules_.try_emplace({path, build_id}, number);
  if (is_new) profile_.modules.push_back({path, build_id});
  return at->second;
}

uint32_t ProfileMaker::frame(model::Frame frame) {
  FrameKey key{frame.kind,       frame.function, frame.file,    frame.line,
               frame.first_line, frame.module,   frame.address, frame.inlined};
  const auto number = static_cast<uint32_t>(profile_.frames.size());
  const auto [at, is_new] = frames_.try_emplace(std::move(key), number);
  if (is_new) profile_.frames.push_back(std::move(frame));
  return at->second;
}

uint32_t ProfileMaker::process(const ThreadName& name) {
  const auto number = static_cast<uint32_t>(profile_.processes.size());
  const auto [at, is_new] = processes_.try_emplace({name.pid, name.container}, number);
  if (is_new) {
    model::ProcessInfo& process = profile_.processes.emplace_back();
    process.process = number + 1;
    process.pid = name.pid;
    process.comm = name.comm;
    process.container.id = name.container;
  }
  return at->second;
}

uint32_t ProfileMaker::thread(const ThreadName& name) {
  const uint32_t owner = process(name);
  const auto number = static_cast<uint32_t>(profile_.threads.size());
  const auto [at, is_new] =
      threads_.try_emplace({owner, name.tid, name.comm, name.python_name}, number);
  if (is_new) profile_.threads.push_back({owner, name.tid, name.comm, name.python_name, 0});
  return at->second;
}

uint32_t ProfileMaker::labels(const model::Labels& labels) {
  if (labels == model::Labels{}) return 0;
  const auto at = std::find(profile_.labels.begin(), profile_.labels.end(), labels);
  const auto number = static_cast<uint32_t>(at - profile_.labels.begin());
  if (at == profile_.labels.end()) profile_.labels.push_back(labels);
  return number + 1;
}

void ProfileMaker::add(uint32_t thread, std::span<const uint32_t> frames, uint64_t count,
                       uint64_t weight_ns, const model::Labels& labels_of) {
  const auto number = static_cast<uint32_t>(profile_.stacks.size());
  const auto [stack, is_new] = stacks_.try_emplace({frames.begin(), frames.end()}, number);
  if (is_new) profile_.stacks.push_back({stack->first});
  const uint32_t label = labels(labels_of);
  const auto [at, first] =
      samples_.try_emplace({thread, stack->second, label}, profile_.samples.size());
  if (first) profile_.samples.push_back({thread, stack->second, 0, 0, label});
  profile_.samples[at->second].count += count;
  profile_.samples[at->second].weight_ns += weight_ns;
  profile_.quality.samples += count;
}

Result<model::Profile> ProfileMaker::finish() && {
  if (profile_.quality.samples == 0) return Error{"holds no sample", ExitCode::kNoSamples};
  profile_.quality.kernel_ticks = profile_.quality.samples;
  return std::move(profile_);
}

}  // namespace pyprof::importer
