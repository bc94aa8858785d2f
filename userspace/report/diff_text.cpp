// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/diff_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/summary.h"
#include "userspace/report/table.h"

namespace pyprof::report {
namespace {

constexpr double kHoursADay = 24;
constexpr double kHoursAYear = 24 * 365.25;

const char* unit_text(DiffUnit unit) {
  switch (unit) {
    case DiffUnit::kWall:
      return "cores (CPU-seconds per second)";
    case DiffUnit::kCpu:
      return "% of the CPU time of each profile";
    case DiffUnit::kWork:
      break;
  }
  return "CPU-seconds per unit of work";
}

const char* verdict(const Change& change) {
  if (!change.significant()) return "not significant";
  if (change.samples_before == 0) return "new";
  if (change.samples_after == 0) return "gone";
  return change.delta() < 0 ? "less" : "more";
}

double percent_change(double ratio) {
  return 100 * (ratio - 1);
}

// What a share of a cost saves; `unit` stands before the figures.
struct Saving {
  double before = 0;
  double after = 0;
  double after_low = 0;
  double after_high = 0;
};

Saving saving(const Diff& diff, double before) {
  return {before, before * diff.ratio, before * diff.ratio_low, before * diff.ratio_high};
}

std::string money(double value) {
  return aggregate::with_thousands(static_cast<uint64_t>(std::llround(std::max(0.0, value))));
}

class Writer {
 public:
  Writer(const Diff& diff, const DiffText& options) : diff_(diff), options_(options) {}

  std::string run() && {
    put("# CPU diff: before {}, after {}\n", aggregate::clean_text(options_.before),
        aggregate::clean_text(options_.after));
    put("unit: {}; samples {} before, {} after\n", unit_text(diff_.unit),
        aggregate::with_thousands(diff_.total.samples_before),
        aggregate::with_thousands(diff_.total.samples_after));
    write_total();
    write_savings();
    put("columns: change = after - before, +- = half of its 95 % interval by the number of "
        "samples\n");
    write_rows("1 Self time of functions (S)", 'S', diff_.self);
    write_rows("2 Total time of functions (C)", 'C', diff_.totals);
    write_rows("3 Lines (L)", 'L', diff_.lines);
    write_rows("4 Calls (E)", 'E', diff_.calls);
    write_rows("5 Packages (K)", 'K', diff_.packages);
    return std::move(out_);
  }

 private:
  template <typename... Values>
  void put(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
  }

  void write_total() {
    if (diff_.unit == DiffUnit::kCpu) return;
    put("total: {:.4g} -> {:.4g}, {:+.1f} % (95 %: {:+.1f} to {:+.1f} %), {}\n", diff_.total.before,
        diff_.total.after, percent_change(diff_.ratio), percent_change(diff_.ratio_low),
        percent_change(diff_.ratio_high), verdict(diff_.total));
  }

  void write_savings() {
    if (diff_.unit == DiffUnit::kCpu) return;
    if (diff_.cores_before > 0) {
      const Saving cores = saving(diff_, diff_.cores_before);
      put("savings: {:.2f} cores become {:.2f} ({:.2f} to {:.2f}) for the same work: {:.2f} "
          "core-hours a day less\n",
          cores.before, cores.after, cores.after_low, cores.after_high,
          (cores.before - cores.after) * kHoursADay);
      if (options_.cost_per_core_hour > 0) {
        write_money(saving(diff_, diff_.cores_before * kHoursAYear * options_.cost_per_core_hour));
      }
    }
    if (options_.annual_cost > 0) write_money(saving(diff_, options_.annual_cost));
  }

  void write_money(const Saving& year) {
    put("savings: {} a year become {} ({} to {}): {} saved\n", money(year.before),
        money(year.after), money(year.after_low), money(year.after_high),
        money(year.before - year.after));
  }

  void write_rows(std::string_view title, char id, const std::vector<DiffRow>& rows) {
    put("\n## {}\n", title);
    Table table({{"id"},
                 {"change", true},
                 {"+-", true},
                 {"before", true},
                 {"after", true},
                 {"verdict"},
                 {"where"},
                 {"what"}});
    for (const DiffRow& row : rows) {
      table.add(
          {fmt::format("{}{}", id, ++numbers_[id]), fmt::format("{:+.3g}", row.change.delta()),
           fmt::format("{:.2g}", row.change.margin), fmt::format("{:.3g}", row.change.before),
           fmt::format("{:.3g}", row.change.after), verdict(row.change), row.place, row.name});
    }
    put("{}", table.empty() ? "none\n" : table.text());
  }

  const Diff& diff_;
  const DiffText& options_;
  std::string out_;
  std::map<char, int> numbers_;
};

nlohmann::ordered_json change_json(const Change& change) {
  return {{"before", change.before},
          {"after", change.after},
          {"change", change.delta()},
          {"margin_95", change.margin},
          {"samples_before", change.samples_before},
          {"samples_after", change.samples_after},
          {"verdict", verdict(change)}};
}

nlohmann::ordered_json rows_json(const std::vector<DiffRow>& rows) {
  auto list = nlohmann::ordered_json::array();
  for (const DiffRow& row : rows) {
    auto entry = change_json(row.change);
    entry["name"] = row.name;
    entry["place"] = row.place;
    list.push_back(std::move(entry));
  }
  return list;
}

nlohmann::ordered_json saving_json(const Saving& saving) {
  return {{"before", saving.before},
          {"after", saving.after},
          {"after_low", saving.after_low},
          {"after_high", saving.after_high},
          {"saved", saving.before - saving.after}};
}

}  // namespace

std::string diff_text(const Diff& diff, const DiffText& options) {
  return Writer(diff, options).run();
}

std::string diff_json(const Diff& diff, const DiffText& options) {
  nlohmann::ordered_json out = {
      {"before", options.before}, {"after", options.after}, {"unit", unit_text(diff.unit)}};
  out["total"] = change_json(diff.total);
  if (diff.unit != DiffUnit::kCpu) {
    out["ratio"] = {{"value", diff.ratio}, {"low", diff.ratio_low}, {"high", diff.ratio_high}};
    if (diff.cores_before > 0) out["cores"] = saving_json(saving(diff, diff.cores_before));
    if (options.annual_cost > 0)
      out["annual_cost"] = saving_json(saving(diff, options.annual_cost));
    if (options.cost_per_core_hour > 0 && diff.cores_before > 0) {
      out["cost_a_year"] =
          saving_json(saving(diff, diff.cores_before * kHoursAYear * options.cost_per_core_hour));
    }
  }
  out["self"] = rows_json(diff.self);
  out["total_by_function"] = rows_json(diff.totals);
  out["lines"] = rows_json(diff.lines);
  out["calls"] = rows_json(diff.calls);
  out["packages"] = rows_json(diff.packages);
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace pyprof::report
