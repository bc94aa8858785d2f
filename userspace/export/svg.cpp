// SPDX-License-Identifier: Apache-2.0
#include "userspace/export/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "userspace/aggregate/call_tree.h"
#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/summary.h"
#include "userspace/export/svg_layout.h"

namespace pyprof::exporter {
namespace {

using aggregate::CallNode;
using aggregate::CallTree;
using aggregate::Summary;
using model::FrameKind;

// Pixels. flamegraph.js takes the edge and the cell from the data attributes of the <svg>.
constexpr double kWidth = 1200;
constexpr double kEdge = 10;
constexpr double kRow = 18;  // a box and the gap above it
constexpr double kBox = 17;
constexpr double kHead = 78;
constexpr double kFoot = 38;
constexpr double kCell = 7.23;  // advance of a 12 px monospaced font
constexpr double kMinBox = 0.1;
constexpr double kThin = 3;  // boxes below have no border: it would hide them

constexpr const char* kStyle = R"(
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #222; }
svg { background: #fdfdfb; }
.bg { fill: #fdfdfb; }
.title { font: bold 17px "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; text-anchor: middle; }
.sub, .key { font: 12px "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; fill: #666; }
.sub { text-anchor: middle; }
.button { cursor: pointer; fill: #1a5fb4; }
.right { text-anchor: end; }
.f { cursor: pointer; }
.f rect { stroke: #fdfdfb; stroke-width: .35; }
.f text { pointer-events: none; fill: #1a1a1a; }
.f.thin rect { stroke: none; }
.f:hover rect { stroke: #111; stroke-width: 1; }
.f.caller { opacity: .55; }
.f.match rect { fill: #d633d6; }
.gone { display: none; }
@media (prefers-color-scheme: dark) {
svg { background: #1c1c1e; } text { fill: #ddd; } .bg { fill: #1c1c1e; } .sub, .key { fill: #aaa; } .button { fill: #8ab4f8; }
.f rect { stroke: #1c1c1e; } .f.thin rect { stroke: none; } .f:hover rect { stroke: #fff; }
}
)";

// At most four decimals, no trailing zeros.
std::string number(double value) {
  std::string text = fmt::format("{:.4f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

class SvgWriter {
 public:
  SvgWriter(const model::Profile& profile, const SvgOptions& options, const CallTree& tree)
      : profile_(profile),
        options_(options),
        tree_(tree),
        summary_(aggregate::summarize(profile)),
        boxes_(lay_out(tree, kMinBox / (kWidth - 2 * kEdge), options.max_boxes)) {
    for (const FlameBox& box : boxes_)
      rows_ = std::max(rows_, tree.nodes()[box.node].depth + 1);
  }

  std::string run() && {
    write_head();
    out_ += "<g id=\"frames\">\n";
    for (const FlameBox& box : boxes_)
      write_box(box);
    out_ += "</g>\n";
    write_legend();
    append("<script><![CDATA[{}]]></script>\n</svg>\n", kFlamegraphJs);
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  [[nodiscard]] double height() const { return kHead + rows_ * kRow + kFoot; }

  void write_head() {
    const std::string title = options_.title.empty()
                                  ? "CPU flame graph: " + aggregate::subject_text(profile_)
                                  : aggregate::clean_text(options_.title);
    append(R"(<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{0}" height="{1}" viewBox="0 0 {0} {1}" )",
           kWidth, height());
    append(R"(role="img" aria-label="{0}" data-edge="{1}" data-cell="{2}">
<title>{0}</title>
<style>{3}</style>
<rect class="bg" width="100%" height="100%"/>
)",
           xml_escape(title), kEdge, kCell, kStyle);
    append("<text class=\"title\" x=\"50%\" y=\"26\">{}</text>\n", xml_escape(fit_text(title, 90)));
    append("<text class=\"sub\" x=\"50%\" y=\"46\">{}</text>\n", xml_escape(subtitle()));
    append(R"svg(<text id="reset" class="button gone" x="{0}" y="26">Reset zoom</text>
<g id="tools" transform="translate({1})">
<text id="search" class="button right gone" y="26">Search</text>
<text id="matched" class="right" y="68"></text>
</g>
<text id="details" x="{0}" y="68"> </text>
)svg",
           kEdge, kWidth - kEdge);
  }

  [[nodiscard]] std::string subtitle() const {
    std::string text;
    if (!profile_.host.empty()) text += aggregate::clean_text(profile_.host, 64) + " · ";
    if (profile_.rate_hz > 0) text += fmt::format("{} Hz · ", profile_.rate_hz);
    if (profile_.duration_ns > 0) {
      text += fmt::format("{:.1f} s · ", aggregate::seconds(profile_.duration_ns));
    }
    return text + fmt::format(
                      "{} samples · {:.2f} CPU-s · {}", aggregate::with_thousands(summary_.samples),
                      aggregate::seconds(summary_.cpu_ns()), aggregate::quality_text(profile_));
  }

  // The first line of a title is the name alone: the script reads it from there.
  [[nodiscard]] std::string box_title(const FlameBox& box) const {
    const CallNode& node = tree_.nodes()[box.node];
    const bool by_weight = summary_.weight_ns > 0;
    const double self = by_weight ? aggregate::percent(node.self_weight_ns, summary_.weight_ns)
                                  : aggregate::percent(node.self_count, summary_.samples);
    return fmt::format("{}\n{} samples · {:.2f} % total · {:.2f} % self · {:.3f} CPU-s",
                       tree_.name(node).text, aggregate::with_thousands(node.total_count),
                       100 * box.width, self, box.width * aggregate::seconds(summary_.cpu_ns()));
  }

  void write_box(const FlameBox& box) {
    const CallNode& node = tree_.nodes()[box.node];
    const double x = kEdge + box.x * (kWidth - 2 * kEdge);
    const double width = box.width * (kWidth - 2 * kEdge);
    const double y = kHead + (rows_ - 1 - node.depth) * kRow;
    const auto cells = static_cast<std::size_t>(std::max(0.0, (width - 6) / kCell));
    append(
        R"(<g class="{}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>)",
        width < kThin ? "f thin" : "f", xml_escape(box_title(box)), number(x), number(y),
        number(width), kBox, flame_color(tree_.name(node)));
    append("<text x=\"{}\" y=\"{}\">{}</text></g>\n", number(x + 3), number(y + 12.5),
           xml_escape(fit_text(tree_.name(node).text, cells)));
  }

  void write_legend() {
    std::set<FrameKind> kinds;
    for (const FlameBox& box : boxes_)
      kinds.insert(tree_.name(tree_.nodes()[box.node]).kind);
    kinds.erase(FrameKind::kMarker);
    double x = kEdge;
    const double y = height() - 24;
    for (const FrameKind kind : kinds) {
      const std::string label = aggregate::kind_text(kind);
      append(R"(<rect x="{}" y="{}" width="12" height="12" rx="2" fill="{}"/>)", number(x),
             number(y), flame_color({kind, label}));
      append("<text class=\"key\" x=\"{}\" y=\"{}\">{}</text>\n", number(x + 17), number(y + 10.5),
             label);
      x += 40 + 7.5 * static_cast<double>(label.size());
    }
    append("<text class=\"key\" x=\"{}\" y=\"{}\">{}</text>\n", number(x), number(y + 10.5),
           "width: share of CPU time · bottom: root, top: what ran · order: by name");
  }

  const model::Profile& profile_;
  const SvgOptions& options_;
  const CallTree& tree_;
  const Summary summary_;
  const std::vector<FlameBox> boxes_;
  uint32_t rows_ = 1;
  std::string out_;
};

}  // namespace

std::string to_svg(const model::Profile& profile, const SvgOptions& options) {
  aggregate::TreeOptions tree_options;
  tree_options.text = options.text;
  tree_options.threads = options.threads;
  tree_options.by = options.by;
  const CallTree tree(profile, tree_options);
  return SvgWriter(profile, options, tree).run();
}

}  // namespace pyprof::exporter
