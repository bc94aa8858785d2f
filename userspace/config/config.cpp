// SPDX-License-Identifier: Apache-2.0
#include "userspace/config/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>

#include "userspace/base/fd.h"
#include "userspace/config/schema.h"
#include "userspace/config/value.h"

namespace pyprof::config {
namespace {

constexpr std::size_t kMaxFileBytes = kMiB;
constexpr int kMaxFlowDepth = 32;

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  [[nodiscard]] Result<Config> read(const YAML::Node& root) {
    Config config;
    if (root.IsNull()) return config;
    auto done = read_mapping(root, "", [&](const std::string& key, const YAML::Node& value) {
      return read_section(key, value, config);
    });
    if (!done) return done.error();
    const auto allowed =
        check_listen(config.daemon.listen, config.daemon.allow_remote_without_auth);
    if (!allowed) return of_key("daemon.listen", allowed.error());
    return config;
  }

 private:
  using OnPair = std::function<Result<void>(const std::string& key, const YAML::Node& value)>;

  [[nodiscard]] Error at(const YAML::Node& node, const std::string& message) const {
    return Error{fmt::format("{}:{}: {}", name_, node.Mark().line + 1, message)};
  }

  // yaml-cpp keeps the first of two equal keys without a word, so all pairs are walked here.
  [[nodiscard]] Result<void> read_mapping(const YAML::Node& node, const std::string& prefix,
                                          const OnPair& on_pair) {
    const std::string what = prefix.empty() ? "the file" : prefix;
    if (!node.IsMap())
      return at(node, what + ": expected \"key: value\" lines, got " + shown(node));
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) return at(pair.first, what + ": expected a word as key");
      const std::string& key = pair.first.Scalar();
      const std::string full = prefix.empty() ? key : prefix + "." + key;
      if (!lines_.emplace(full, pair.first.Mark().line + 1).second) {
        return at(pair.first, fmt::format("{}: given twice, remove one", log::sanitise(full)));
      }
      const auto done = on_pair(key, pair.second);
      if (!done) return placed(full, done.error());
    }
    return {};
  }

  // Errors of an inner mapping have their place already.
  [[nodiscard]] Error placed(const std::string& full, const Error& error) const {
    return error.message.starts_with(name_ + ":") ? error : of_key(full, error);
  }

  // `full` was read; also for rules about several keys, which are checked at the end.
  [[nodiscard]] Error of_key(const std::string& full, const Error& error) const {
    return Error{
        fmt::format("{}:{}: {}: {}", name_, lines_.at(full), log::sanitise(full), error.message)};
  }

  [[nodiscard]] Result<void> read_section(const std::string& name, const YAML::Node& node,
                                          Config& config) {
    const auto& sections = schema();
    const auto section = std::find_if(sections.begin(), sections.end(),
                                      [&](const Section& each) { return each.name == name; });
    if (section == sections.end()) return unknown(sections);
    if (node.IsNull()) return {};
    return read_mapping(node, name, [&](const std::string& key, const YAML::Node& value) {
      return read_key(section->keys, key, value, config);
    });
  }

  [[nodiscard]] static Result<void> read_key(const std::vector<Key>& keys, const std::string& name,
                                             const YAML::Node& value, Config& config) {
    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const Key& each) { return each.name == name; });
    if (key == keys.end()) return unknown(keys);
    return key->read(value, config);
  }

  template <typename Named>
  [[nodiscard]] static Error unknown(const std::vector<Named>& known) {
    std::string names;
    for (const auto& each : known)
      names += (names.empty() ? "" : ", ") + each.name;
    return Error{"unknown key, expected one of " + names};
  }

  const std::string& name_;
  std::map<std::string, int> lines_;  // every key that was read, in full
};

// yaml-cpp parses nested brackets by recursion. No valid file nests deeper than two levels, so a
// file with many more opening brackets than closing ones is refused before it is parsed.
bool nests_too_deep(std::string_view text) {
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (depth > kMaxFlowDepth) return true;
  }
  return false;
}

bool is_marker(std::string_view line, std::string_view marker) {
  return line.starts_with(marker) && (line.size() == 3 || line[3] == ' ' || line[3] == '\t');
}

// Load() reads the first document and ignores the rest without a word. Line of the mark behind
// which ignored text begins, 0 = none. At the start of a line these marks can mean nothing else.
int second_document_line(std::string_view text) {
  bool content = false;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (line.ends_with('\r'))
      line.remove_suffix(1);
    if (is_marker(line, "...")) return text.empty() ? 0 : number;
    if (is_marker(line, "---") && content) return number;
    content |= !line.empty() && line[0] != '#' && line[0] != '%';
  }
  return 0;
}

Result<std::string> read_all(const Fd& file, const std::string& path) {
  std::string text(kMaxFileBytes + 1, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("reading " + path, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  if (used > kMaxFileBytes) return Error{path + ": larger than 1 MiB, not a configuration file"};
  text.resize(used);
  return text;
}

}  // namespace

Result<Config> parse(std::string_view text, const std::string& name) {
  if (text.size() > kMaxFileBytes) return Error{name + ": larger than 1 MiB"};
  if (nests_too_deep(text))
    return Error{name + ": brackets nested too deeply, expected sections of \"key: value\""};
  if (const int line = second_document_line(text)) {
    return Error{fmt::format("{}:{}: a second YAML document, expected only one", name, line)};
  }
  try {
    return Reader(name).read(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& e) {
    return Error{
        fmt::format("{}:{}: not valid YAML: {}", name, e.mark.line + 1, log::sanitise(e.msg))};
  } catch (const std::exception& e) {
    return Error{fmt::format("{}: not valid YAML: {}", name, log::sanitise(e.what()))};
  }
}

Result<Config> load_file(const std::optional<std::string>& path) {
  const std::string name = path.value_or(kDefaultPath);
  // O_NONBLOCK: a FIFO must give an error, not wait.
  const Fd file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) {
    if (errno == ENOENT && !path) return Config{};
    return errno_error("reading the configuration file " + name, errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error("reading " + name, errno);
  if (!S_ISREG(status.st_mode)) return Error{name + ": not a regular file, give a YAML file"};
  auto text = read_all(file, name);
  if (!text) return text.error();
  return parse(*text, name);
}

}  // namespace pyprof::config
