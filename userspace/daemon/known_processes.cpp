// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/known_processes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "userspace/server/control_client.h"

namespace pyprof::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxProcesses = 65'536;
constexpr std::size_t kMaxDetailBytes = 512;
constexpr uint64_t kAnswerTimeoutMs = 2'000;

Json to_json(const model::ProcessInfo& process) {
  return {{"pid", process.pid},
          {"version", process.python_full_version},
          {"reason", to_label(process.python.reason)},
          {"detail", process.python.detail.substr(0, kMaxDetailBytes)},
          {"samples", process.coverage.samples},
          {"whole", process.coverage.whole},
          {"flaws", process.coverage.flaws}};
}

model::Unsupported reason_of(std::string_view label) {
  for (std::size_t i = 0; i < model::kUnsupportedReasons; ++i) {
    const auto reason = static_cast<model::Unsupported>(i);
    if (to_label(reason) == label) return reason;
  }
  return model::Unsupported::kVersionUnknown;
}

// Throws what nlohmann throws for a member that is missing or of another type.
model::ProcessInfo from_json(const Json& json) {
  model::ProcessInfo process;
  process.pid = json.at("pid").get<int32_t>();
  process.python_full_version = json.at("version").get<std::string>();
  process.python.reason = reason_of(json.at("reason").get<std::string>());
  process.python.detail = json.at("detail").get<std::string>();
  process.coverage.samples = json.at("samples").get<uint64_t>();
  process.coverage.whole = json.at("whole").get<uint64_t>();
  for (const auto& [label, count] : json.at("flaws").items()) {
    if (process.coverage.flaws.size() < model::kFlaws) {
      process.coverage.flaws[label] = count.get<uint64_t>();
    }
  }
  return process;
}

}  // namespace

std::string encode_processes(const std::vector<model::ProcessInfo>& processes) {
  Json all = Json::array();
  for (std::size_t i = 0; i < std::min(processes.size(), kMaxProcesses); ++i)
    all.push_back(to_json(processes[i]));
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<KnownProcesses> decode_processes(std::string_view payload) {
  const Error broken{"the daemon's answer is no list of processes"};
  const Json all = Json::parse(payload, nullptr, false);
  if (!all.is_array() || all.size() > kMaxProcesses) return broken;
  KnownProcesses known;
  try {
    for (const Json& each : all) {
      model::ProcessInfo process = from_json(each);
      const int32_t pid = process.pid;
      known.emplace(pid, std::move(process));
    }
  } catch (const Json::exception&) {
    return broken;
  }
  return known;
}

KnownProcesses ask_processes(const std::string& control_socket) {
  auto client = server::ControlClient::connect(control_socket);
  if (!client || !client->has_value()) return {};
  server::ControlRequest request;
  request.verb = "processes";
  const auto answer = (*client)->call(request, kAnswerTimeoutMs);
  if (!answer || !answer->ok) return {};
  auto known = decode_processes(answer->payload);
  return known ? *std::move(known) : KnownProcesses{};
}

void add_known(const KnownProcesses& known, model::ProcessInfo& found) {
  const auto it = known.find(found.pid);
  // Another version: the pid was another process's when the daemon looked.
  if (it == known.end() || it->second.python_full_version != found.python_full_version) return;
  found.coverage = it->second.coverage;
  if (it->second.python.reason == model::Unsupported::kNone) return;
  found.python.reason = it->second.python.reason;
  found.python.detail = it->second.python.detail;
}

}  // namespace pyprof::daemon
