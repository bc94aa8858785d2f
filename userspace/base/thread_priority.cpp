// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/thread_priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace pyprof {
namespace {

constexpr int kNice = -10;

}  // namespace

void be_prompt() {
  // Linux keeps the nice value per thread.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
}

}  // namespace pyprof
