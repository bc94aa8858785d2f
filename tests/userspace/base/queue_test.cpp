// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <thread>

namespace pyprof {
namespace {

using namespace std::chrono_literals;

TEST(BoundedQueueTest, keeps_order_and_drops_what_does_not_fit) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.dropped(), 1u);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
}

TEST(BoundedQueueTest, carries_values_that_only_move) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  queue.push(std::make_unique<int>(7));
  auto value = queue.pop();
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(**value, 7);
}

TEST(BoundedQueueTest, close_drains_and_then_ends_every_waiting_consumer) {
  BoundedQueue<int> queue(4);
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);

  BoundedQueue<int> empty(4);
  std::thread a([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  std::thread b([&] { EXPECT_EQ(empty.pop_for(60s), std::nullopt); });
  std::this_thread::sleep_for(20ms);
  empty.close();
  a.join();
  b.join();
}

TEST(BoundedQueueTest, pop_for_gives_up_after_its_time) {
  BoundedQueue<int> queue(1);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(queue.pop_for(30ms), std::nullopt);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
}

TEST(BoundedQueueTest, drain_takes_no_more_than_its_limit) {
  BoundedQueue<int> queue(10);
  for (int i = 0; i < 5; ++i)
    queue.push(i);
  std::vector<int> batch;
  EXPECT_EQ(queue.drain(batch, 3), 3u);
  EXPECT_EQ(batch, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(queue.drain(batch, 3), 2u);
}

TEST(BoundedQueueTest, every_value_of_many_producers_arrives_or_is_counted) {
  constexpr int kProducers = 4;
  constexpr uint64_t kEach = 20'000;
  BoundedQueue<uint64_t> queue(64);
  uint64_t received = 0;
  std::thread consumer([&] {
    while (queue.pop())
      ++received;
  });
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&] {
      for (uint64_t i = 0; i < kEach; ++i)
        queue.push(i);
    });
  }
  for (auto& producer : producers)
    producer.join();
  queue.close();
  consumer.join();
  EXPECT_EQ(received + queue.dropped(), kProducers * kEach);
  EXPECT_GT(received, 0u);
}

}  // namespace
}  // namespace pyprof
