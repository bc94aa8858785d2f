// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

// How a function says that it failed. A caller that can act takes a Result, hands an error up with
// `return r.error();`, and only daemon/ and cli/ print it. Absence that is normal is std::optional.
namespace pyprof {

// What the process exits with; documented in the man page.
enum class ExitCode : int {
  kOk = 0,
  kUsage = 1,
  kPermission = 2,
  kNoProcess = 3,
  kNotSupported = 4,
  kNoSamples = 5,
};

// One line for a person: what failed, on what, and what to do about it.
struct Error {
  std::string message;
  ExitCode code = ExitCode::kUsage;
  int errno_value = 0;  // 0 = not from a system call
};

// "doing what: strerror" with the errno kept. EPERM and EACCES become kPermission, ESRCH
// kNoProcess.
[[nodiscard]] Error errno_error(const std::string& doing, int errno_value);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(value_); }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return std::get<T>(value_); }
  const T& operator*() const& { return std::get<T>(value_); }
  T&& operator*() && { return std::get<T>(std::move(value_)); }
  T* operator->() { return &std::get<T>(value_); }
  const T* operator->() const { return &std::get<T>(value_); }

  [[nodiscard]] const Error& error() const { return std::get<Error>(value_); }

 private:
  std::variant<T, Error> value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace pyprof
