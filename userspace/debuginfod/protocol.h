// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between this program and pyebpf-debuginfod, which is started once for each file:
//   pyebpf-debuginfod BUILD_ID FOLDER BYTES
// asks the servers in $DEBUGINFOD_URLS for the debug file of that build-id, keeps at most BYTES in
// FOLDER, and sends one byte with the opened file over the socket that is its standard input.
namespace pyprof::debuginfod {

inline constexpr int kExitFound = 0;
inline constexpr int kExitUsage = 1;
inline constexpr int kExitMissing = 3;    // no server has it
inline constexpr int kExitFailed = 4;     // the servers could not be asked
inline constexpr int kExitNoLibrary = 5;  // libdebuginfod is not installed
inline constexpr int kExitSandbox = 6;    // the rights could not be given up, or FOLDER not made

}  // namespace pyprof::debuginfod
