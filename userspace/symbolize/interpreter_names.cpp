// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/interpreter_names.h"

#include <algorithm>
#include <array>

namespace pyprof::symbolize {
namespace {

using namespace std::string_view_literals;

// Both tables are sorted: binary search. CPython 2.7-3.15.
constexpr auto kExact = std::to_array({
    "_Py_CheckFunctionResult"sv,
    "_Py_CheckRecursiveCall"sv,
    "__clone"sv,
    "__clone3"sv,
    "_start"sv,
    "async_gen_anext"sv,
    "async_gen_asend_iternext"sv,
    "async_gen_asend_send"sv,
    "builtin_eval"sv,
    "builtin_eval_impl"sv,
    "builtin_exec"sv,
    "builtin_exec_impl"sv,
    "call_function"sv,
    "call_method"sv,
    "classmethoddescr_call"sv,
    "clone"sv,
    "clone3"sv,
    "coro_await"sv,
    "coro_wrapper_iternext"sv,
    "coro_wrapper_send"sv,
    "do_call_core"sv,
    "ext_do_call"sv,
    "fast_function"sv,
    "function_call"sv,
    "function_code_fastcall"sv,
    "gen_iternext"sv,
    "gen_send"sv,
    "import_find_and_load"sv,
    "import_from"sv,
    "import_name"sv,
    "instance_call"sv,
    "instancemethod_call"sv,
    "lookup_maybe_method"sv,
    "lookup_method"sv,
    "main"sv,
    "method_call"sv,
    "object_vacall"sv,
    "partial_call"sv,
    "property_descr_get"sv,
    "property_descr_set"sv,
    "py_trampoline_evaluator"sv,
    "pythread_wrapper"sv,
    "run_eval_code_obj"sv,
    "run_mod"sv,
    "start_thread"sv,
    "super_vectorcall"sv,
    "t_bootstrap"sv,
    "thread_run"sv,
    "type_call"sv,
    "wrapper_call"sv,
    "wrapperdescr_call"sv,
});

constexpr auto kPrefixes = std::to_array({
    "PyCFunction_Call"sv,
    "PyEval_"sv,
    "PyImport_Import"sv,
    "PyIter_Send"sv,
    "PyObject_Call"sv,
    "PyObject_Vectorcall"sv,
    "PyRun_"sv,
    "PyVectorcall_"sv,
    "Py_BytesMain"sv,
    "Py_Main"sv,
    "Py_RunMain"sv,
    "_PyCFunction_FastCall"sv,
    "_PyCFunction_Vectorcall"sv,
    "_PyEvalFrame"sv,
    "_PyEval_"sv,
    "_PyFunction_FastCall"sv,
    "_PyFunction_Vectorcall"sv,
    "_PyGen_Send"sv,
    "_PyMethodDef_RawFastCall"sv,
    "_PyMethodDescr_"sv,
    "_PyObject_Call"sv,
    "_PyObject_FastCall"sv,
    "_PyObject_MakeTpCall"sv,
    "_PyObject_Vectorcall"sv,
    "_PyRun_"sv,
    "_PyVectorcall_"sv,
    "_Py_UnixMain"sv,
    "_Py_call"sv,
    "_TAIL_CALL_"sv,
    "__libc_start_"sv,
    "call_unbound"sv,
    "cfunction_call"sv,
    "cfunction_vectorcall"sv,
    "gen_send_ex"sv,
    "method_vectorcall"sv,
    "methoddescr_call"sv,
    "partial_vectorcall"sv,
    "pymain_"sv,
    "pyrun_"sv,
    "slot_am_"sv,
    "slot_bf_"sv,
    "slot_mp_"sv,
    "slot_nb_"sv,
    "slot_sq_"sv,
    "slot_tp_"sv,
    "vectorcall_"sv,
});

static_assert(std::is_sorted(kExact.begin(), kExact.end()));
static_assert(std::is_sorted(kPrefixes.begin(), kPrefixes.end()));

// "f.cold", "f.part.0", "f.llvm.123": the compiler's pieces of one function.
std::string_view without_suffix(std::string_view symbol) {
  return symbol.substr(0, symbol.find('.', 1));
}

// No prefix of the table begins another one, so the nearest smaller entry is the only candidate.
bool has_known_prefix(std::string_view symbol) {
  const auto next = std::upper_bound(kPrefixes.begin(), kPrefixes.end(), symbol);
  return next != kPrefixes.begin() && symbol.starts_with(*std::prev(next));
}

constexpr bool no_prefix_begins_another() {
  for (std::size_t i = 1; i < kPrefixes.size(); ++i) {
    if (kPrefixes[i].starts_with(kPrefixes[i - 1])) {
      return false;
    }
  }
  return true;
}
static_assert(no_prefix_begins_another());

}  // namespace

bool is_eval_loop(std::string_view symbol) {
  const std::string_view name = without_suffix(symbol);
  return name == "_PyEval_EvalFrameDefault" || name == "PyEval_EvalFrameEx";
}

bool is_eval_caller(std::string_view symbol) {
  return without_suffix(symbol) == "PyEval_EvalFrameEx";
}

bool is_interpreter_internal(std::string_view symbol) {
  const std::string_view name = without_suffix(symbol);
  return std::binary_search(kExact.begin(), kExact.end(), name) || has_known_prefix(name);
}

}  // namespace pyprof::symbolize
