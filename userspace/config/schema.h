// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/config/config.h"

// Every key of the file, as data: a new setting is one line in schema.cpp. Private to config/.
namespace pyprof::config {

struct Key {
  std::string name;
  std::function<Result<void>(const YAML::Node&, Config&)> read;
};

struct Section {
  std::string name;
  std::vector<Key> keys;
};

[[nodiscard]] const std::vector<Section>& schema();

}  // namespace pyprof::config
