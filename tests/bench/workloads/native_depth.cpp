// SPDX-License-Identifier: Apache-2.0
// native_depth N: burns CPU below N native frames, for ever.
#include <cstdlib>

namespace {

volatile unsigned long sink;
volatile bool go_on = true;

__attribute__((noinline)) unsigned long descend(unsigned long depth) {
  unsigned long result = 0;
  if (depth == 0) {
    while (go_on)
      sink = sink + 1;
  } else {
    result = descend(depth - 1);
  }
  return result + sink;
}

}  // namespace

int main(int argc, char** argv) {
  return static_cast<int>(descend(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 30));
}
