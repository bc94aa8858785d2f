// SPDX-License-Identifier: Apache-2.0
// main -> outer -> middle -> [through] -> leaf, forever. How middle gets to leaf is chosen by the
// argument: plain, jump (out of a nested function by longjmp each time), signal (leaf is a signal
// handler on a stack of its own), thread, fork (a child of a thread), assembly (a function without
// call frame information).
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLED __attribute__((noinline, noclone))

volatile uint64_t sum;
static jmp_buf back;

__asm__(
    ".text\n.p2align 4\n.globl through_assembly\n.type through_assembly, @function\n"
    "through_assembly:\n"
    "  push %rbp\n  push %rbx\n  sub $40, %rsp\n  mov %rdi, %rbx\n"
    "  mov %rbx, %rdi\n  call leaf\n"
    "  add $40, %rsp\n  pop %rbx\n  pop %rbp\n  ret\n"
    ".size through_assembly, . - through_assembly\n"
    ".section .note.GNU-stack,\"\",@progbits\n.text\n");
uint64_t through_assembly(uint64_t n);

CALLED uint64_t leaf(uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    sum += i * i;
  return sum;
}

CALLED void handler(int number) {
  leaf(2000000 + (uint64_t)number);
  sum++;
}

CALLED void jumper(uint64_t n) {
  leaf(n);
  longjmp(back, 1);
}

CALLED uint64_t middle(const char* how, uint64_t n) {
  if (!strcmp(how, "assembly")) return through_assembly(n) + 1;
  if (!strcmp(how, "signal")) return (uint64_t)raise(SIGUSR1) + sum;
  if (!strcmp(how, "jump")) {
    if (!setjmp(back)) jumper(n);
    return sum;
  }
  return leaf(n) + 1;
}

CALLED uint64_t outer(const char* how) {
  return middle(how, 200000) + 1;
}

static void* work(void* how) {
  const char* name = how;
  if (!strcmp(name, "fork")) {
    const pid_t child = fork();
    if (child > 0) {
      printf("child %d\n", (int)child);
      fflush(stdout);
      waitpid(child, 0, 0);
      return 0;
    }
  }
  for (;;)
    sum += outer(name);
}

int main(int argc, char** argv) {
  static char stack[65536];
  const char* how = argc > 1 ? argv[1] : "plain";
  const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  pthread_t thread;
  sigaltstack(&alternate, 0);
  sigaction(SIGUSR1, &action, 0);
  puts("ready");
  fflush(stdout);
  if (strcmp(how, "thread") && strcmp(how, "fork")) return work((void*)how) != 0;
  pthread_create(&thread, 0, work, (void*)how);
  pthread_join(thread, 0);
  return 0;
}
