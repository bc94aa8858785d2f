// SPDX-License-Identifier: Apache-2.0
#include "userspace/server/control_protocol.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pyprof::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxPids = 4'096;
constexpr std::size_t kMaxWordBytes = 32;
constexpr std::size_t kMaxFormatsBytes = 192;  // all that there are
constexpr std::size_t kMaxTitleBytes = 1'024;
constexpr std::size_t kMaxErrorBytes = 8'192;  // two of them, escaped, fit in one line
constexpr uint64_t kMaxDurationMs = 24ULL * 3600 * 1000;
constexpr uint64_t kMaxRateHz = 10'000;

// Names may hold any bytes; what is not UTF-8 is replaced instead of thrown about.
std::string to_line(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Reads members of one JSON object; remembers the first that is wrong, and that all were read.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  void read(const char* name, bool& into) {
    const Json* member = find(name);
    if (member == nullptr) return;
    if (!member->is_boolean()) return complain(name, "true or false");
    into = member->get<bool>();
  }

  void read(const char* name, std::string& into, std::size_t max_bytes) {
    const Json* member = find(name);
    if (member == nullptr) return;
    const auto* text = member->get_ptr<const Json::string_t*>();
    if (text == nullptr || text->size() > max_bytes) return complain(name, "a short string");
    into = *text;
  }

  template <typename T>
  void read(const char* name, T& into, uint64_t max) {
    const Json* member = find(name);
    if (member == nullptr) return;
    if (!member->is_number_unsigned() || member->get<uint64_t>() > max) {
      return complain(name, "a number up to " + std::to_string(max));
    }
    into = static_cast<T>(member->get<uint64_t>());
  }

  void read(const char* name, std::vector<int32_t>& into) {
    const Json* member = find(name);
    if (member == nullptr) return;
    const auto is_pid = [](const Json& each) {
      return each.is_number_unsigned() && each.get<uint64_t>() - 1 < INT32_MAX;
    };
    if (!member->is_array() || member->size() > kMaxPids ||
        !std::all_of(member->begin(), member->end(), is_pid)) {
      return complain(name, "a list of at most " + std::to_string(kMaxPids) + " process ids");
    }
    into = member->get<std::vector<int32_t>>();
  }

  [[nodiscard]] Result<void> finish() const {
    if (!mistake_.empty()) return Error{mistake_};
    if (found_ == object_.size()) return {};
    return Error{
        "control socket: a field that this version does not know; restart the daemon so "
        "that it has the version of the command line"};
  }

 private:
  const Json* find(const char* name) {
    const auto member = object_.find(name);
    if (member == object_.end()) return nullptr;
    ++found_;
    return &*member;
  }

  void complain(const char* name, const std::string& expected) {
    if (mistake_.empty()) {
      mistake_ = std::string("control socket: ") + name + ": expected " + expected;
    }
  }

  const Json& object_;
  std::size_t found_ = 0;
  std::string mistake_;
};

// Parsing without exceptions: what is not JSON comes back as "discarded", not an object.
Result<Json> parse_object(std::string_view line) {
  if (line.size() > kMaxControlLineBytes) return Error{"control socket: line over 64 KiB"};
  Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return Error{"control socket: expected one line with a JSON object"};
  return object;
}

}  // namespace

ControlResponse failed(const Error& error) {
  return {false, error.message, {}, error.code, {}};
}

std::string encode(const ControlRequest& request) {
  return to_line({{"verb", request.verb},
                  {"pids", request.pids},
                  {"all", request.all},
                  {"duration_ms", request.duration_ms},
                  {"rate_hz", request.rate_hz},
                  {"format", request.format},
                  {"threads", request.threads},
                  {"native", request.native},
                  {"python_only", request.python_only},
                  {"gil", request.gil},
                  {"by", request.by},
                  {"title", request.title}});
}

Result<ControlRequest> decode_request(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return object.error();
  ControlRequest request;
  Members members(*object);
  members.read("verb", request.verb, kMaxWordBytes);
  members.read("pids", request.pids);
  members.read("all", request.all);
  members.read("duration_ms", request.duration_ms, kMaxDurationMs);
  members.read("rate_hz", request.rate_hz, kMaxRateHz);
  members.read("format", request.format, kMaxFormatsBytes);
  members.read("threads", request.threads);
  members.read("native", request.native);
  members.read("python_only", request.python_only);
  members.read("gil", request.gil);
  members.read("by", request.by, kMaxWordBytes);
  members.read("title", request.title, kMaxTitleBytes);
  const auto done = members.finish();
  if (!done) return done.error();
  if (request.verb.empty()) return Error{"control socket: verb: missing"};
  return request;
}

std::string encode_header(const ControlResponse& response) {
  return to_line({{"ok", response.ok},
                  {"error", response.error.substr(0, kMaxErrorBytes)},
                  {"message", response.message.substr(0, kMaxErrorBytes)},
                  {"exit_code", static_cast<uint64_t>(response.exit_code)},
                  {"bytes", response.payload.size()}});
}

Result<ControlHeader> decode_header(std::string_view line) {
  const auto object = parse_object(line);
  if (!object) return object.error();
  ControlHeader header;
  Members members(*object);
  members.read("ok", header.response.ok);
  members.read("error", header.response.error, kMaxControlLineBytes);
  members.read("message", header.response.message, kMaxControlLineBytes);
  members.read("exit_code", header.response.exit_code, static_cast<uint64_t>(ExitCode::kNoSamples));
  members.read("bytes", header.payload_bytes, kMaxControlPayloadBytes);
  const auto done = members.finish();
  if (!done) return done.error();
  return header;
}

}  // namespace pyprof::server
