// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/saved.h"

#include "userspace/aggregate/summary.h"
#include "userspace/aggregate/view.h"
#include "userspace/cli/outputs.h"
#include "userspace/daemon/version.h"
#include "userspace/export/page.h"
#include "userspace/export/writer.h"
#include "userspace/import/load.h"
#include "userspace/report/diff_text.h"

namespace pyprof::cli {
namespace {

Result<model::Profile> load(const std::string& path) {
  auto profile = importer::load_profile(path);
  if (profile) profile->tool_version = daemon::tool_version();
  return profile;
}

// How much of a unit of work's time the earlier profile's time is, in the later one's.
double scale_of(const model::Profile& before, const model::Profile& after,
                const report::Diff& diff) {
  const auto value = [](const model::Profile& profile) {
    const aggregate::Summary summary = aggregate::summarize(profile);
    return static_cast<double>(summary.weight_ns > 0 ? summary.weight_ns : summary.samples);
  };
  return value(after) / value(before) * diff.total.before / diff.total.after;
}

std::string diff_page(const DiffFileOptions& options, const model::Profile& before,
                      const model::Profile& after, const report::Diff& diff) {
  constexpr const char* kUnits[] = {"per second", "of the CPU time", "per unit of work"};
  aggregate::ViewOptions view;
  view.native = true;  // what the file has was chosen when it was written
  const model::Profile earlier = aggregate::apply_view(before, view);
  exporter::PageBaseline baseline{&earlier, scale_of(before, after, diff), options.before,
                                  kUnits[static_cast<int>(diff.unit)]};
  exporter::PageOptions page;
  page.text.lines = aggregate::LineMode::kNone;  // lines move from version to version
  page.text.full_paths = options.compare.full_paths;
  return exporter::to_diff_page(aggregate::apply_view(after, view), baseline, page);
}

}  // namespace

Result<void> convert_profile(const ConvertOptions& options) {
  const auto outputs = plan_outputs(options.outputs, options.format);
  if (!outputs) return outputs.error();
  if (const auto good = check_writable(*outputs); !good) return good;
  const auto profile = load(options.input);
  if (!profile) return profile.error();
  daemon::RenderRequest request;
  request.formats = formats_of(*outputs);
  request.threads = options.threads;
  request.native = !options.python_only;  // what the file has was chosen when it was written
  request.python_only = options.python_only;
  request.full_paths = options.full_filenames;
  request.limit = options.limit;
  request.max_tokens = options.max_tokens;
  request.prompt = options.with_prompt;
  request.table = options.table;
  const auto rendered = daemon::render(*profile, request);
  if (!rendered) return rendered.error();
  return write_outputs(*outputs, *rendered);
}

Result<void> diff_profiles(const DiffFileOptions& options) {
  const auto before = load(options.before);
  if (!before) return before.error();
  const auto after = load(options.after);
  if (!after) return after.error();
  const auto diff = report::compare(*before, *after, options.compare);
  if (!diff) return diff.error();
  if (!options.json && options.output.ends_with(".html"))
    return exporter::write_output(options.output, diff_page(options, *before, *after, *diff));
  const report::DiffText text{options.before, options.after, options.annual_cost,
                              options.cost_per_core_hour};
  return exporter::write_output(options.output, options.json ? report::diff_json(*diff, text)
                                                             : report::diff_text(*diff, text));
}

Result<void> query_profile(const QueryOptions& options) {
  const auto profile = load(options.input);
  if (!profile) return profile.error();
  aggregate::ViewOptions view;
  view.native = !options.python_only;
  view.python_only = options.python_only;
  const auto text = report::answer(aggregate::apply_view(*profile, view), options.query);
  if (!text) return text.error();
  return exporter::write_output("-", *text);
}

}  // namespace pyprof::cli
