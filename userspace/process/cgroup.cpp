// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/cgroup.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

namespace pyprof::process {
namespace {

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kMaxComponents = 256;
constexpr std::size_t kMaxLines = 256;

// What stands before "-<id>" in a cgroup's name, by runtime.
struct RuntimePrefix {
  std::string_view prefix;
  std::string_view runtime;
};
constexpr std::array<RuntimePrefix, 7> kRuntimes = {{
    {"docker", "docker"},
    {"cri-containerd", "containerd"},
    {"containerd", "containerd"},
    {"nerdctl", "containerd"},
    {"crio", "crio"},
    {"libpod", "podman"},
    {"libpod-payload", "podman"},
}};

// Monitors that run beside a container, in a cgroup with its id.
constexpr std::array<std::string_view, 2> kMonitors = {"crio-conmon", "libpod-conmon"};

// Units of the runtimes themselves: they say nothing of the containers below them.
constexpr std::array<std::string_view, 7> kRuntimeUnits = {
    "docker.service", "containerd.service", "crio.service",     "cri-o.service",
    "podman.service", "kubelet.service",    "k3s-agent.service"};

constexpr std::array<std::string_view, 5> kUnitSuffixes = {".service", ".scope", ".mount",
                                                           ".socket", ".swap"};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_container_id(std::string_view text) {
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), is_hex);
}

template <typename Container>
bool contains(const Container& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_unit(std::string_view name) {
  return std::any_of(kUnitSuffixes.begin(), kUnitSuffixes.end(), [&](std::string_view suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
  });
}

struct NamedContainer {
  std::string_view id;
  std::string_view prefix;  // "docker" of "docker-<id>.scope"; empty for a bare id
};

// "<id>", "PREFIX-<id>", "SLICE:PREFIX:<id>" (a systemd-style name given to a runtime that uses
// cgroupfs), each with or without ".scope".
std::optional<NamedContainer> parse_container(std::string_view name) {
  constexpr std::string_view kScope = ".scope";
  if (name.ends_with(kScope)) name.remove_suffix(kScope.size());
  if (name.size() < kIdLength) return std::nullopt;
  const auto id = name.substr(name.size() - kIdLength);
  if (!is_container_id(id)) return std::nullopt;
  auto prefix = name.substr(0, name.size() - kIdLength);
  if (prefix.empty()) return NamedContainer{id, {}};
  const char separator = prefix.back();
  if (separator != '-' && separator != ':') return std::nullopt;
  prefix.remove_suffix(1);
  const auto colon = prefix.rfind(':');
  if (colon != std::string_view::npos) prefix.remove_prefix(colon + 1);
  return NamedContainer{id, prefix};
}

// "pod<uid>" or "...kubepods...-pod<uid with _>.slice". Static pods have a plain 32-digit hash.
std::string parse_pod_uid(std::string_view name) {
  constexpr std::string_view kSlice = ".slice";
  if (name.ends_with(kSlice)) {
    const auto pod = name.rfind("-pod");
    if (name.find("kubepods") == std::string_view::npos || pod == std::string_view::npos) return {};
    name.remove_suffix(kSlice.size());
    name.remove_prefix(pod + 1);
  }
  if (!name.starts_with("pod")) return {};
  std::string uid(name.substr(3));
  std::replace(uid.begin(), uid.end(), '_', '-');
  const bool plausible =
      (uid.size() == 36 || uid.size() == 32) &&
      std::all_of(uid.begin(), uid.end(), [](char c) { return is_hex(c) || c == '-'; });
  return plausible ? uid : std::string();
}

// "systemd-nspawn@NAME.service", or a "machine-NAME.scope" that is not a virtual machine's or
// LXC's.
bool is_nspawn(std::string_view name, std::string_view parent) {
  if (name.starts_with("systemd-nspawn@") && name.ends_with(".service")) return true;
  return parent == "machine.slice" && name.starts_with("machine-") && name.ends_with(".scope") &&
         !name.starts_with("machine-qemu") && !name.starts_with("machine-lxc");
}

// Walks a path from the root down; what it finds later lies deeper and wins.
class PathReader {
 public:
  void component(std::string_view name) {
    if (auto uid = parse_pod_uid(name); !uid.empty()) {
      found_.pod_uid = std::move(uid);
    } else if (const auto container = parse_container(name)) {
      add_container(*container);
    } else if (is_nspawn(name, parent_)) {
      found_.runtime = "nspawn";
      found_.unit = name;
      machine_ = true;
    } else if (is_unit(name)) {
      if (!machine_ && !contains(kRuntimeUnits, name)) found_.unit = name;
    } else if (name.ends_with(".slice") && name.find("kubepods") == std::string_view::npos) {
      slice_ = name;
    }
    parent_ = name;
  }

  model::ContainerIdentity take() {
    if (found_.runtime.empty() && !found_.pod_uid.empty()) found_.runtime = "kubernetes";
    const bool on_the_host = found_.runtime.empty();
    if (on_the_host && found_.unit.empty()) found_.unit = slice_;
    return std::move(found_);
  }

 private:
  void add_container(const NamedContainer& container) {
    if (contains(kMonitors, container.prefix)) return;
    found_.id = container.id;
    found_.runtime = runtime_of(container);
  }

  [[nodiscard]] std::string runtime_of(const NamedContainer& container) const {
    for (const auto& [prefix, runtime] : kRuntimes) {
      if (prefix == container.prefix) return std::string(runtime);
    }
    if (!container.prefix.empty()) return {};
    if (parent_ == "docker") return "docker";
    if (parent_ == "libpod_parent") return "podman";
    return parse_pod_uid(parent_).empty() ? "runc" : "kubernetes";
  }

  model::ContainerIdentity found_;
  std::string_view parent_;
  std::string_view slice_;
  bool machine_ = false;
};

struct HierarchyLine {
  std::string_view path;
  int order;  // smaller = asked first
};

int order_of(std::string_view controllers) {
  if (controllers.empty()) return 0;
  if (controllers == "name=systemd") return 1;
  if (controllers.find("cpuacct") != std::string_view::npos) return 2;
  return 3;
}

// "ID:CONTROLLERS:PATH"; only the path may hold more colons.
std::optional<HierarchyLine> parse_line(std::string_view line) {
  const auto first = line.find(':');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = line.find(':', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return HierarchyLine{line.substr(second + 1),
                       order_of(line.substr(first + 1, second - first - 1))};
}

std::vector<HierarchyLine> hierarchies(std::string_view text) {
  std::vector<HierarchyLine> lines;
  while (!text.empty() && lines.size() < kMaxLines) {
    const auto end = text.find('\n');
    if (const auto line = parse_line(text.substr(0, end))) lines.push_back(*line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.order < b.order; });
  return lines;
}

}  // namespace

model::ContainerIdentity identify_path(std::string_view cgroup_path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (cgroup_path.ends_with(kDeleted)) cgroup_path.remove_suffix(kDeleted.size());
  PathReader reader;
  std::string_view rest = cgroup_path;
  for (std::size_t count = 0; !rest.empty() && count < kMaxComponents; ++count) {
    const auto slash = rest.find('/');
    const auto name = rest.substr(0, slash);
    if (!name.empty() && name != "..") reader.component(name);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  auto identity = reader.take();
  identity.cgroup_path = cgroup_path;
  return identity;
}

model::ContainerIdentity identify(std::string_view proc_pid_cgroup_text) {
  std::optional<model::ContainerIdentity> best;
  for (const auto& line : hierarchies(proc_pid_cgroup_text)) {
    auto identity = identify_path(line.path);
    if (!identity.runtime.empty() || !identity.id.empty()) return identity;
    const bool root = !best || best->cgroup_path == "/";
    if (root) best = std::move(identity);
  }
  return best.value_or(model::ContainerIdentity{});
}

}  // namespace pyprof::process
