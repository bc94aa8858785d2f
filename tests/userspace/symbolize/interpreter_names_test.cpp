// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbolize/interpreter_names.h"

#include <gtest/gtest.h>

namespace pyprof::symbolize {
namespace {

TEST(InterpreterNamesTest, eval_loop_is_known_in_all_its_pieces) {
  for (const char* name :
       {"_PyEval_EvalFrameDefault", "_PyEval_EvalFrameDefault.cold", "PyEval_EvalFrameEx",
        "_PyEval_EvalFrameDefault.constprop.0", "_PyEval_EvalFrameDefault.lto_priv.0"}) {
    EXPECT_TRUE(is_eval_loop(name)) << name;
    EXPECT_TRUE(is_interpreter_internal(name)) << name;
  }
  EXPECT_FALSE(is_eval_loop("_PyEval_Vector"));
  EXPECT_FALSE(is_eval_loop(""));
}

TEST(InterpreterNamesTest, call_machinery_and_start_up_are_internal) {
  for (const char* name : {"_PyEval_Vector",
                           "PyEval_EvalCode",
                           "_TAIL_CALL_BINARY_OP.llvm.1234",
                           "PyObject_Vectorcall",
                           "_PyObject_MakeTpCall",
                           "_PyFunction_Vectorcall",
                           "method_vectorcall",
                           "method_vectorcall_FASTCALL_KEYWORDS",
                           "cfunction_vectorcall_O",
                           "cfunction_call",
                           "vectorcall_method",
                           "object_vacall",
                           "slot_tp_call",
                           "slot_nb_add",
                           "gen_send_ex2",
                           "gen_iternext",
                           "builtin_exec",
                           "run_mod",
                           "run_eval_code_obj",
                           "pyrun_file",
                           "_PyRun_SimpleFileObject",
                           "PyRun_StringFlags",
                           "pymain_run_python.constprop.0",
                           "Py_RunMain",
                           "Py_BytesMain",
                           "main",
                           "_start",
                           "__libc_start_main",
                           "thread_run",
                           "pythread_wrapper",
                           "start_thread",
                           "clone3",
                           "property_descr_get",
                           "_PyObject_Call_Prepend",
                           "type_call",
                           "PyImport_ImportModuleLevelObject",
                           "_Py_call_instrumentation"}) {
    EXPECT_TRUE(is_interpreter_internal(name)) << name;
  }
}

TEST(InterpreterNamesTest, work_that_python_code_asked_for_is_not) {
  for (const char* name : {"list_sort",
                           "list_sort_impl",
                           "sre_ucs1_match",
                           "builtin_sorted",
                           "builtin_len",
                           "long_mul",
                           "gc_collect_main",
                           "PyObject_RichCompare",
                           "_PyObject_Malloc",
                           "PyDict_GetItem",
                           "clone_combined_dict_keys",
                           "take_gil",
                           "mainly",
                           "run_modern",
                           "dict_merge",
                           "math_factorial",
                           "unicode_decode_utf8",
                           "PyObject_GetAttr",
                           "Py",
                           "",
                           "."}) {
    EXPECT_FALSE(is_interpreter_internal(name)) << name;
  }
}

}  // namespace
}  // namespace pyprof::symbolize
