// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/probes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "userspace/aggregate/clean_text.h"
#include "userspace/base/helper_path.h"
#include "userspace/cli/helper.h"
#include "userspace/daemon/targets.h"
#include "userspace/export/writer.h"
#include "userspace/report/table.h"

namespace pyprof::cli {
namespace {

using aggregate::clean_text;
using Json = nlohmann::json;

constexpr const char* kHelper = "pyebpf-usdt";
constexpr std::size_t kMaxOutputBytes = 64 << 20;
constexpr uint64_t kTimeoutMs = 20'000;
constexpr std::size_t kMaxProbes = 10'000;

// Throws what nlohmann throws for a member that is missing or of another type.
UsdtProbe from_json(const Json& json) {
  UsdtProbe probe;
  probe.provider = json.at("provider").get<std::string>();
  probe.name = json.at("name").get<std::string>();
  probe.file = json.at("file").get<std::string>();
  probe.semaphore_address = json.at("semaphore_address").get<uint64_t>();
  probe.site_count = json.at("site_count").get<uint64_t>();
  for (const Json& site : json.at("sites")) {
    probe.sites.push_back(
        {site.at("address").get<uint64_t>(), site.at("arguments").get<std::vector<std::string>>()});
  }
  return probe;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text.empty() ? "-" : text;
}

std::string to_json(const std::vector<UsdtProbe>& probes) {
  Json all = Json::array();
  for (const UsdtProbe& probe : probes) {
    Json sites = Json::array();
    for (const UsdtProbe::Site& site : probe.sites)
      sites.push_back({{"address", site.address}, {"arguments", site.arguments}});
    all.push_back({{"provider", probe.provider},
                   {"name", probe.name},
                   {"file", probe.file},
                   {"semaphore", probe.semaphore_address != 0},
                   {"site_count", probe.site_count},
                   {"sites", std::move(sites)}});
  }
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<std::vector<UsdtProbe>> parse_probes(std::string_view lines) {
  std::vector<UsdtProbe> probes;
  while (!lines.empty() && probes.size() < kMaxProbes) {
    const std::size_t end = lines.find('\n');
    const Json json = Json::parse(lines.substr(0, end), nullptr, false);
    try {
      probes.push_back(from_json(json));
    } catch (const Json::exception&) {
      return Error{std::string(kHelper) + " gave an answer of another version; install both again",
                   ExitCode::kNotSupported};
    }
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  std::stable_sort(probes.begin(), probes.end(), [](const UsdtProbe& a, const UsdtProbe& b) {
    return std::tie(a.provider, a.name, a.file) < std::tie(b.provider, b.name, b.file);
  });
  return probes;
}

std::string probe_table(const std::vector<UsdtProbe>& probes) {
  if (probes.empty()) return "no USDT probe found\n";
  report::Table table({{"PROBE"}, {"SITES", true}, {"SEMAPHORE"}, {"ARGUMENTS"}, {"FILE"}});
  for (const UsdtProbe& probe : probes) {
    const std::string arguments = probe.sites.empty() ? "?" : joined(probe.sites[0].arguments);
    table.add({clean_text(probe.provider, 64) + ":" + clean_text(probe.name, 64),
               std::to_string(probe.site_count), probe.semaphore_address != 0 ? "yes" : "no",
               clean_text(arguments, 200), clean_text(probe.file, 200)});
  }
  return table.text();
}

Result<std::vector<UsdtProbe>> read_probes(int32_t pid) {
  if (const auto there = daemon::check_process(process::ProcFs(), pid); !there)
    return there.error();
  const auto helper = find_helper(kHelper, "build with libbpfcc-dev there, and install again");
  if (!helper) return helper.error();
  const auto output = run_helper(*helper, {std::to_string(pid)}, kMaxOutputBytes, kTimeoutMs);
  if (!output) return output.error();
  return parse_probes(*output);
}

Result<void> list_probes(const ProbesOptions& options) {
  const auto probes = read_probes(options.pid);
  if (!probes) return probes.error();
  return exporter::write_output("-", options.json ? to_json(*probes) : probe_table(*probes));
}

}  // namespace pyprof::cli
