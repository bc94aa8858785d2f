// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Which C functions of CPython are how Python code gets run (the eval loop, calls, start-up) rather
// than work that Python code asked for (list_sort, sre_ucs1_match, gc_collect_main). Meant for
// symbols of the interpreter's own file only: elsewhere "main" is just a name.
namespace pyprof::symbolize {

// An activation of the eval loop, in any part that the compiler split off.
bool is_eval_loop(std::string_view symbol);

// The eval loop of 2.7; later a function that may call it.
bool is_eval_caller(std::string_view symbol);

// The eval loop and all else that reports hide by default.
bool is_interpreter_internal(std::string_view symbol);

}  // namespace pyprof::symbolize
