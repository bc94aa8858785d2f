// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bcc/bcc_usdt.h>

#include <string>

namespace pyprof::usdt {

// Type and place of an argument: "s32 *(sp+112)", "u64 r12", "s32 5", "u64 *(ip+symbol)". BCC gives
// registers without the prefix of their size.
[[nodiscard]] std::string argument_text(const bcc_usdt_argument& argument);

}  // namespace pyprof::usdt
