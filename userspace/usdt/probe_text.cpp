// SPDX-License-Identifier: Apache-2.0
#include "userspace/usdt/probe_text.h"

#include <cstdlib>

namespace pyprof::usdt {
namespace {

std::string type_text(int size) {
  return (size < 0 ? "s" : "u") + std::to_string(std::abs(size) * 8);
}

std::string place_text(const bcc_usdt_argument& argument) {
  const auto has = [&argument](int part) { return (argument.valid & part) != 0; };
  if (has(BCC_USDT_ARGUMENT_CONSTANT)) return std::to_string(argument.constant);
  std::string text = has(BCC_USDT_ARGUMENT_BASE_REGISTER_NAME) ? argument.base_register_name : "";
  const bool memory = has(BCC_USDT_ARGUMENT_DEREF_OFFSET) || has(BCC_USDT_ARGUMENT_DEREF_IDENT);
  if (!memory) return text;
  if (has(BCC_USDT_ARGUMENT_INDEX_REGISTER_NAME)) {
    text += std::string("+") + argument.index_register_name;
    if (has(BCC_USDT_ARGUMENT_SCALE)) text += "*" + std::to_string(argument.scale);
  }
  if (has(BCC_USDT_ARGUMENT_DEREF_IDENT)) text += std::string("+") + argument.deref_ident;
  if (argument.deref_offset > 0) text += "+";
  if (argument.deref_offset != 0) text += std::to_string(argument.deref_offset);
  return "*(" + text + ")";
}

}  // namespace

std::string argument_text(const bcc_usdt_argument& argument) {
  return type_text(argument.size) + " " + place_text(argument);
}

}  // namespace pyprof::usdt
