// SPDX-License-Identifier: Apache-2.0
// pyebpf-usdt PID: the USDT probes in the files that a process has mapped, through BCC's USDT API,
// one line of JSON each. Files are opened first, with the caller's rights; what parses them has
// none. Nothing is attached, and the process is not touched.
#include <bcc/bcc_usdt.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "userspace/process/mapped_file.h"
#include "userspace/process/proc_fs.h"
#include "userspace/process/proc_maps.h"
#include "userspace/usdt/probe_text.h"
#include "userspace/usdt/sandbox.h"

namespace pyprof::usdt {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFiles = 4'096;
constexpr std::size_t kMaxProbes = 10'000;
constexpr int kMaxSites = 64;  // of one probe, the others are counted
constexpr int kMaxArguments = 12;

struct OpenFile {
  std::string path;  // as the process has it mapped
  Fd fd;
};

Result<std::vector<OpenFile>> open_files(int32_t pid) {
  const process::ProcFs proc;
  const auto maps = proc.maps(pid);
  if (!maps) return maps.error();
  std::vector<OpenFile> files;
  std::set<std::pair<uint64_t, uint64_t>> seen;  // device, inode
  for (const model::Mapping& mapping : maps->mappings) {
    if (!process::has_file(mapping) || process::is_vdso(mapping)) continue;
    if (!seen.emplace(mapping.file.device, mapping.file.inode).second) continue;
    if (files.size() >= kMaxFiles) break;
    auto file = process::open_mapping(proc, pid, mapping);
    if (!file) continue;
    auto readable = make_readable(*std::move(file));
    if (!readable) continue;
    files.push_back({std::string(process::without_deleted(mapping.path)), *std::move(readable)});
  }
  return files;
}

struct Close {
  void operator()(void* context) const { bcc_usdt_close(context); }
};
using Context = std::unique_ptr<void, Close>;

// BCC's callback has no argument of the caller's. One thread.
std::vector<bcc_usdt>* found_probes = nullptr;

std::vector<bcc_usdt> list_probes(void* context) {
  std::vector<bcc_usdt> probes;
  found_probes = &probes;
  bcc_usdt_foreach(context, [](bcc_usdt* probe) {
    if (found_probes->size() < kMaxProbes) found_probes->push_back(*probe);
  });
  found_probes = nullptr;
  return probes;
}

Json site_json(void* context, const bcc_usdt& probe, int site) {
  bcc_usdt_location location{};
  Json arguments = Json::array();
  if (bcc_usdt_get_location(context, probe.provider, probe.name, site, &location) != 0) return {};
  for (int i = 0; i < probe.num_arguments && i < kMaxArguments; ++i) {
    bcc_usdt_argument argument{};
    const int failed =
        bcc_usdt_get_argument(context, probe.provider, probe.name, site, i, &argument);
    arguments.push_back(failed != 0 ? std::string("?") : argument_text(argument));
  }
  return {{"address", location.address}, {"arguments", arguments}};
}

std::string probe_line(void* context, const bcc_usdt& probe, const std::string& path) {
  Json sites = Json::array();
  for (int i = 0; i < probe.num_locations && i < kMaxSites; ++i) {
    Json site = site_json(context, probe, i);
    if (!site.is_null()) sites.push_back(std::move(site));
  }
  const Json line{{"provider", probe.provider},
                  {"name", probe.name},
                  {"file", path},
                  {"semaphore_address", probe.semaphore},
                  {"site_count", probe.num_locations},
                  {"sites", std::move(sites)}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::size_t print_probes(const OpenFile& file) {
  const std::string path = "/proc/self/fd/" + std::to_string(file.fd.get());
  const Context context(bcc_usdt_new_frompath(path.c_str()));
  if (!context) return 0;
  const auto probes = list_probes(context.get());
  for (const bcc_usdt& probe : probes) {
    const std::string line = probe_line(context.get(), probe, file.path);
    std::fwrite(line.data(), 1, line.size(), stdout);
  }
  return probes.size();
}

Result<void> run(const std::vector<std::string>& arguments) {
  int32_t pid = 0;
  if (arguments.size() != 1) return Error{"usage: pyebpf-usdt PID"};
  const std::string& word = arguments.front();
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
  if (error != std::errc{} || end != word.data() + word.size() || pid < 1) {
    return Error{"usage: pyebpf-usdt PID"};
  }
  const auto files = open_files(pid);
  if (!files) return files.error();
  if (const auto entered = enter_sandbox(); !entered) return entered;
  std::size_t probes = 0;
  for (std::size_t i = 0; i < files->size() && probes < kMaxProbes; ++i)
    probes += print_probes((*files)[i]);
  return {};
}

}  // namespace
}  // namespace pyprof::usdt

int main(int argc, char** argv) {
  const auto done = pyprof::usdt::run({argv + (argc > 0 ? 1 : 0), argv + argc});
  if (done) return std::fflush(stdout) == 0 ? 0 : 1;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return static_cast<int>(done.error().code);
}
