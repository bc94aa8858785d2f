// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/control.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tests/userspace/daemon/fake_engine.h"
#include "userspace/base/clock.h"
#include "userspace/daemon/known_processes.h"
#include "userspace/daemon/render.h"

namespace pyprof::daemon {
namespace {

using testing::FakeEngine;

bool never() {
  return false;
}

class ControlServiceTest : public ::testing::Test {
 protected:
  ControlServiceTest() : engine_(FakeEngine::make()) { FakeEngine::idle = false; }

  static server::ControlRequest of_this_process(uint64_t duration_ms = 20) {
    server::ControlRequest request;
    request.verb = "snapshot";
    request.pids = {::getpid()};
    request.duration_ms = duration_ms;
    request.format = "folded";
    request.title = "t1";
    return request;
  }

  std::unique_ptr<engine::Engine> engine_;
  ControlService service_;
};

TEST_F(ControlServiceTest, answers_ping_with_its_pid) {
  server::ControlRequest request;
  request.verb = "ping";
  const auto response = service_.handle(request, never);
  EXPECT_TRUE(response.ok);
  EXPECT_EQ(response.message, std::to_string(::getpid()));
}

TEST_F(ControlServiceTest, refuses_snapshots_while_it_starts) {
  const auto response = service_.handle(of_this_process(), never);
  EXPECT_FALSE(response.ok);
  EXPECT_NE(response.error.find("starting"), std::string::npos);
  EXPECT_EQ(service_.counts().failed, 1U);
}

TEST_F(ControlServiceTest, renders_what_was_sampled) {
  service_.set_engine(*engine_);
  auto request = of_this_process();
  request.rate_hz = 199;
  request.format = "folded,text";
  const auto response = service_.handle(request, never);
  ASSERT_TRUE(response.ok) << response.error;
  const auto outputs = split_outputs(response.payload, 2);
  ASSERT_TRUE(outputs);
  EXPECT_NE((*outputs)[0].find("work (main.py:9) 30"), std::string::npos);
  EXPECT_EQ(response.message.find("samples 40"), 0U);
  EXPECT_EQ(FakeEngine::last_rate_hz, 199U);
  EXPECT_EQ(service_.counts().ok, 1U);
}

TEST_F(ControlServiceTest, tells_an_idle_process_from_a_failure) {
  service_.set_engine(*engine_);
  FakeEngine::idle = true;
  const auto response = service_.handle(of_this_process(), never);
  EXPECT_EQ(response.exit_code, ExitCode::kNoSamples);
  EXPECT_NE(response.error.find(std::to_string(::getpid())), std::string::npos);
  EXPECT_EQ(service_.counts().no_samples, 1U);
}

TEST_F(ControlServiceTest, tells_what_it_knows_of_processes) {
  server::ControlRequest request;
  request.verb = "processes";
  EXPECT_EQ(service_.handle(request, never).payload, "[]");  // still starting
  service_.set_engine(*engine_);
  FakeEngine::known_processes.resize(1);
  FakeEngine::known_processes[0].pid = 77;
  const auto known = decode_processes(service_.handle(request, never).payload);
  FakeEngine::known_processes.clear();
  ASSERT_TRUE(known);
  EXPECT_TRUE(known->contains(77));
}

TEST_F(ControlServiceTest, checks_what_it_is_asked) {
  service_.set_engine(*engine_);
  auto request = of_this_process();
  request.pids = {4'194'304};
  EXPECT_EQ(service_.handle(request, never).exit_code, ExitCode::kNoProcess);
  request = of_this_process();
  request.python_only = true;  // this test is no Python
  EXPECT_EQ(service_.handle(request, never).exit_code, ExitCode::kNotSupported);
  request = of_this_process();
  request.gil = true;
  EXPECT_EQ(service_.handle(request, never).exit_code, ExitCode::kNotSupported);
  request = of_this_process();
  request.by = "colour";
  EXPECT_FALSE(service_.handle(request, never).ok);
  request = of_this_process();
  request.format = "nonsense";
  EXPECT_NE(service_.handle(request, never).error.find("folded"), std::string::npos);
  request = of_this_process(0);
  EXPECT_FALSE(service_.handle(request, never).ok);
  request = of_this_process();
  request.pids.clear();
  EXPECT_FALSE(service_.handle(request, never).ok);
  request.verb = "explode";
  EXPECT_FALSE(service_.handle(request, never).ok);
  EXPECT_EQ(service_.counts().failed, 7U);
}

TEST_F(ControlServiceTest, finishes_a_running_snapshot_with_what_there_is) {
  service_.set_engine(*engine_);
  server::ControlRequest finish;
  finish.verb = "finish";
  finish.title = "t1";
  EXPECT_FALSE(service_.handle(finish, never).ok) << "nothing runs yet";
  const uint64_t begin_ns = monotonic_ns();
  server::ControlResponse response;
  std::thread asking([&] { response = service_.handle(of_this_process(60'000), never); });
  while (!service_.handle(finish, never).ok)
    std::this_thread::yield();
  asking.join();
  EXPECT_TRUE(response.ok) << response.error;
  EXPECT_FALSE(response.payload.empty());
  EXPECT_LT(monotonic_ns() - begin_ns, 10'000'000'000U);
}

}  // namespace
}  // namespace pyprof::daemon
