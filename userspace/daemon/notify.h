// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace pyprof::daemon {

// Tells systemd about the service, such as "READY=1" (sd_notify(3)). Does nothing where nobody
// asked for it; a failure is not worth more than being ignored.
void notify_service_manager(std::string_view state);

}  // namespace pyprof::daemon
