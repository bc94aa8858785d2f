// SPDX-License-Identifier: Apache-2.0
#include "userspace/cli/top.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <deque>
#include <memory>
#include <utility>

#include "userspace/aggregate/clean_text.h"
#include "userspace/aggregate/summary.h"
#include "userspace/aggregate/view.h"
#include "userspace/base/log.h"
#include "userspace/cli/top_sampler.h"
#include "userspace/cli/top_source.h"
#include "userspace/cli/top_terminal.h"
#include "userspace/daemon/daemon.h"
#include "userspace/daemon/render.h"
#include "userspace/daemon/signals.h"
#include "userspace/export/writer.h"

namespace pyprof::cli {
namespace {

using report::LiveAction;
using report::LiveView;

constexpr std::size_t kRecentWindows = 10;
constexpr uint64_t kNsPerSecond = 1'000'000'000;

bool is_of_one(const TopOptions& options) {
  return options.pids.size() == 1 && !options.subprocesses;
}

report::LiveScope first_scope(const TopOptions& options) {
  return {is_of_one(options) ? options.pids.front() : 0, 0, "", ""};
}

LiveView first_view(const TopOptions& options) {
  for (std::size_t i = 0; i < report::kLiveViews; ++i) {
    const auto view = static_cast<LiveView>(i);
    if (options.view == report::live_view_name(view)) return view;
  }
  return is_of_one(options) ? LiveView::kThreads : LiveView::kProcesses;
}

std::string local_time(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

std::string subject(const process::ProcFs& proc, const TopOptions& options) {
  if (options.pids.empty()) return "all processes";
  if (options.pids.size() > 1) return fmt::format("{} processes", options.pids.size());
  const auto stat = proc.stat(options.pids.front());
  return fmt::format("pid {} {}", options.pids.front(),
                     stat ? aggregate::clean_text(stat->comm, 32) : "");
}

// The picture: windows of samples become tables of what the state asks for.
class Picture {
 public:
  Picture(const process::ProcFs& proc, const TopOptions& options)
      : options_(options), threads_(proc, options.full_filenames) {
    view_.native = options.native;
  }

  // `sum` is called when all there was has to be looked at anew; only of the last one of several.
  void add(const model::Profile& window, bool is_last, const report::LiveState& state,
           const std::function<model::Profile()>& sum) {
    data_.window = aggregate::apply_view(window, view_);
    windows_.push_back(data_.window);
    if (windows_.size() > kRecentWindows) windows_.pop_front();
    missing_ = std::min(missing_ + 1, windows_.size());
    const report::LiveScope scope = history_scope(state);
    if (history_valid_ && scope == history_of_) {
      data_.history.add(report::narrow(data_.window, scope));
    } else if (is_last) {
      restart_history(scope, sum);
    }
  }

  // After what is shown has changed.
  report::LiveTable table(const report::LiveState& state,
                          const std::function<model::Profile()>& sum) {
    const report::LiveScope scope = history_scope(state);
    if (!history_valid_ || !(scope == history_of_)) restart_history(scope, sum);
    const LiveView view = state.view();
    const bool has_threads = view == LiveView::kThreads || view == LiveView::kStacks;
    if (has_threads && !(state.paused() && threads_.pid() == state.scope().pid)) {
      threads_.read(state.scope().pid, data_);
    }
    if (view == LiveView::kTree) update_recent();
    return state.visible_rows(
        report::live_table(view, data_, state.scope(), {state.lines(), options_.full_filenames}));
  }

  // Windows were left out, or all begins anew.
  void forget(bool windows) {
    history_valid_ = false;
    if (!windows) return;
    windows_.clear();
    recent_.reset();
    data_.recent = {};
    missing_ = 0;
  }

  [[nodiscard]] report::LiveSums sums(const report::LiveState& state) const {
    return report::live_sums(data_.window, state.scope());
  }

 private:
  static report::LiveScope history_scope(const report::LiveState& state) {
    return {state.scope().pid, state.scope().tid, "", ""};
  }

  void restart_history(const report::LiveScope& scope, const std::function<model::Profile()>& sum) {
    history_of_ = scope;
    history_valid_ = true;
    data_.history.start(report::narrow(aggregate::apply_view(sum(), view_), scope),
                        report::narrow(data_.window, scope), options_.full_filenames);
  }

  // The last few windows: grown with each one, and begun anew with half of them when it has enough.
  void update_recent() {
    if (!recent_ || in_recent_ + missing_ > kRecentWindows) {
      recent_ = std::make_unique<aggregate::ProfileSum>();
      in_recent_ = 0;
      missing_ = std::min(windows_.size(), kRecentWindows / 2);
    }
    if (missing_ == 0) return;
    for (; missing_ > 0; --missing_, ++in_recent_)
      recent_->add(windows_[windows_.size() - missing_]);
    data_.recent = recent_->profile();
  }

  const TopOptions& options_;
  aggregate::ViewOptions view_;
  report::LiveData data_;
  std::deque<model::Profile> windows_;
  std::unique_ptr<aggregate::ProfileSum> recent_;  // made when the tree is looked at
  std::size_t in_recent_ = 0;
  std::size_t missing_ = 0;  // of the last windows, those that are not in it yet
  report::LiveScope history_of_;
  bool history_valid_ = false;
  TopThreads threads_;
};

class Top {
 public:
  Top(const process::ProcFs& proc, const TopOptions& options, const daemon::Signals& signals,
      TopSampler& sampler, Terminal& terminal)
      : options_(options),
        signals_(signals),
        sampler_(sampler),
        terminal_(terminal),
        picture_(proc, options),
        state_(first_view(options), first_scope(options)),
        head_{subject(proc, options), ""} {}

  void run() {
    redraw();
    while (!done_) {
      wait();
      take_signals();
      take_windows();
      while (const auto key = terminal_.next_key())
        press(*key);
      redraw();
    }
  }

 private:
  void wait() {
    pollfd fds[] = {
        {STDIN_FILENO, POLLIN, 0}, {signals_.fd(), POLLIN, 0}, {sampler_.fd(), POLLIN, 0}};
    ::poll(fds, std::size(fds), -1);
    if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) done_ = true;
  }

  void take_signals() {
    while (const auto signal = signals_.next(0)) {
      if (*signal == SIGWINCH) {
        terminal_.take_new_size();
      } else {
        done_ = true;
      }
    }
  }

  void take_windows() {
    const std::vector<model::Profile> windows = sampler_.take();
    missed_ = missed_ || (state_.paused() && !windows.empty());
    if (!state_.paused() && !windows.empty()) {
      if (std::exchange(missed_, false)) picture_.forget(false);
      for (const model::Profile& window : windows)
        picture_.add(window, &window == &windows.back(), state_, sum());
      head_.clock = local_time("%H:%M:%S");
    }
    if (const auto why = sampler_.ended(); why && ended_.empty()) {
      ended_ = aggregate::clean_text(*why);
      head_.subject += " (ended)";
      if (*why != "ended") state_.message = ended_;
    }
  }

  void press(const report::LiveKey& key) {
    const LiveAction action = state_.press(key, picture_.table(state_, sum()), page_);
    switch (action) {
      case LiveAction::kQuit:
        done_ = true;
        break;
      case LiveAction::kWriteReport:
        write(exporter::Format::kText, "txt");
        break;
      case LiveAction::kWriteFlameGraph:
        write(exporter::Format::kSvg, "svg");
        break;
      case LiveAction::kReset:
        sampler_.restart();
        picture_.forget(true);
        state_.message = "counting from zero";
        break;
      case LiveAction::kRefresh:
        sampler_.set_refresh(state_.refresh_ms());
        break;
      case LiveAction::kNone:
        break;
    }
  }

  void write(exporter::Format format, const char* suffix) {
    daemon::RenderRequest request;
    request.formats = {format};
    request.native = options_.native;
    request.full_paths = options_.full_filenames;
    const model::Profile profile = sampler_.sum();
    if (profile.samples.empty()) {
      state_.message = "nothing to write yet";
      return;
    }
    const std::string path = fmt::format("pyebpf-prof-{}.{}", local_time("%Y%m%d-%H%M%S"), suffix);
    const auto outputs = daemon::render(profile, request);
    const auto written =
        outputs ? exporter::write_output(path, outputs->front()) : Result<void>(outputs.error());
    state_.message = written ? "written: " + path : aggregate::clean_text(written.error().message);
  }

  void redraw() {
    const report::LiveTable table = picture_.table(state_, sum());
    const auto [columns, rows] = terminal_.size();
    const auto screen =
        report::live_screen(state_, table, picture_.sums(state_), head_, columns, rows);
    page_ = screen.page;
    terminal_.draw(screen);
  }

  std::function<model::Profile()> sum() {
    return [this] { return sampler_.sum(); };
  }

  const TopOptions& options_;
  const daemon::Signals& signals_;
  TopSampler& sampler_;
  Terminal& terminal_;
  Picture picture_;
  report::LiveState state_;
  report::LiveHead head_;
  std::string ended_;
  std::size_t page_ = 0;
  bool missed_ = false;  // windows ended while the picture stood still
  bool done_ = false;
};

std::string plain_title(const report::LiveSums& sums, const model::Profile& window,
                        const std::string& subject) {
  return fmt::format("{}  {:.2f} cores  GIL {:.0f} %  {} samples in {:.1f} s  lost {}\n", subject,
                     sums.cores, sums.gil_percent, sums.samples,
                     aggregate::seconds(window.duration_ns), sums.lost);
}

// One picture as text; of a single process both its threads and its functions.
std::string plain_text(const process::ProcFs& proc, const TopOptions& options,
                       const model::Profile& window) {
  Picture picture(proc, options);
  std::vector<LiveView> views = {first_view(options)};
  if (options.view.empty() && is_of_one(options)) views.push_back(LiveView::kFunctions);
  std::string text;
  for (const LiveView view : views) {
    const report::LiveState state(view, first_scope(options));
    const auto sum = [&] { return window; };
    if (text.empty()) {
      picture.add(window, true, state, sum);
      text = plain_title(picture.sums(state), window, subject(proc, options));
    }
    text += "\n" + report::live_text(picture.table(state, sum));
  }
  return text;
}

Result<void> print_pictures(const process::ProcFs& proc, const TopOptions& options,
                            TopSource source, const daemon::Signals& signals) {
  bool over = false;
  do {
    const auto window =
        source.window(static_cast<uint64_t>(options.duration_s * kNsPerSecond), [&] {
          over = over || signals.next(0).has_value();
          return over;
        });
    if (!window) return window.error();
    const auto written = exporter::write_output("-", plain_text(proc, options, *window));
    if (!written) return written;
    for (const int32_t pid : options.pids)
      over = over || !daemon::check_process(proc, pid);
  } while (!options.once && !over);
  return {};
}

}  // namespace

Result<void> show_top(const TopOptions& options) {
  const process::ProcFs proc;
  for (const int32_t pid : options.pids) {
    if (const auto there = daemon::check_process(proc, pid); !there) return there;
  }
  if (options.gil) {
    const auto python = daemon::require_python(proc, options.pids, "-g/--gil");
    if (!python) return python;
  }
  const bool plain = options.plain || options.once;
  if (!plain && (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)) {
    return Error{"top needs a terminal; for scripts there is top --once --plain"};
  }
  const auto config = daemon::load_config({options.config_path, {}, options.control_socket});
  if (!config) return config.error();
  const auto signals = plain ? daemon::Signals::open({SIGINT, SIGTERM})
                             : daemon::Signals::open({SIGINT, SIGTERM, SIGHUP, SIGWINCH});
  if (!signals) return signals.error();
  // A line of the log would tear the picture.
  log::set_up(plain ? log::Level::kWarning : log::Level::kError);
  auto source = TopSource::open(options, *config);
  if (!source) return source.error();
  if (plain) return print_pictures(proc, options, *std::move(source), *signals);
  TopSampler sampler(*std::move(source), options.pids, report::LiveState::kRefreshMs[2]);
  const auto terminal = Terminal::open();
  if (!terminal) return terminal.error();
  Top(proc, options, *signals, sampler, **terminal).run();
  return {};
}

}  // namespace pyprof::cli
