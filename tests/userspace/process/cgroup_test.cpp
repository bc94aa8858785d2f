// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/cgroup.h"

#include <gtest/gtest.h>

#include <string>

namespace pyprof::process {
namespace {

const std::string kId = "4e5f021b1b2bd2cd2ae7ec8ab44ed1a4f0a5d8f3b2c1d0e9f8a7b6c5d4e3f201";
const std::string kInner = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const std::string kPod = "8b2f0f6c-3a1e-4d5c-9b7a-1c2d3e4f5a6b";
const std::string kPodUnderscore = "8b2f0f6c_3a1e_4d5c_9b7a_1c2d3e4f5a6b";

struct Case {
  std::string name;
  std::string text;
  std::string id;
  std::string runtime;
  std::string pod_uid;
  std::string unit;
};

class IdentifyTest : public testing::TestWithParam<Case> {};

TEST_P(IdentifyTest, names_the_owner) {
  const auto& expected = GetParam();
  const auto identity = identify(expected.text);
  EXPECT_EQ(identity.id, expected.id);
  EXPECT_EQ(identity.runtime, expected.runtime);
  EXPECT_EQ(identity.pod_uid, expected.pod_uid);
  EXPECT_EQ(identity.unit, expected.unit);
}

const Case kCases[] = {
    {"docker_v2_systemd", "0::/system.slice/docker-" + kId + ".scope\n", kId, "docker", "", ""},
    {"docker_v2_cgroupfs", "0::/docker/" + kId + "\n", kId, "docker", "", ""},
    {"docker_v1", "12:cpu,cpuacct:/docker/" + kId + "\n1:name=systemd:/docker/" + kId + "\n", kId,
     "docker", "", ""},
    {"docker_hybrid",
     "4:cpu,cpuacct:/docker/" + kId + "\n1:name=systemd:/docker/" + kId +
         "\n0::/system.slice/containerd.service\n",
     kId, "docker", "", ""},
    {"docker_with_systemd_inside",
     "0::/system.slice/docker-" + kId + ".scope/system.slice/nginx.service\n", kId, "docker", "",
     "nginx.service"},
    {"docker_in_docker", "0::/docker/" + kId + "/docker/" + kInner + "\n", kInner, "docker", "",
     ""},
    {"docker_deleted", "0::/docker/" + kId + " (deleted)\n", kId, "docker", "", ""},
    {"docker_custom_parent", "0::/actions_job/" + kId + "\n", kId, "runc", "", ""},
    {"containerd_kubernetes_v2",
     "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kPodUnderscore +
         ".slice/cri-containerd-" + kId + ".scope\n",
     kId, "containerd", kPod, ""},
    {"guaranteed_pod",
     "0::/kubepods.slice/kubepods-pod" + kPodUnderscore + ".slice/cri-containerd-" + kId +
         ".scope\n",
     kId, "containerd", kPod, ""},
    {"kubernetes_cgroupfs", "3:cpuacct,cpu:/kubepods/burstable/pod" + kPod + "/" + kId + "\n", kId,
     "kubernetes", kPod, ""},
    {"static_pod", "0::/kubepods/besteffort/pod0123456789abcdef0123456789abcdef/" + kId + "\n", kId,
     "kubernetes", "0123456789abcdef0123456789abcdef", ""},
    {"kubernetes_docker",
     "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kPodUnderscore +
         ".slice/docker-" + kId + ".scope\n",
     kId, "docker", kPod, ""},
    {"containerd_systemd_name_on_cgroupfs",
     "0::/system.slice/containerd.service/kubepods-burstable-pod" + kPodUnderscore +
         ".slice:cri-containerd:" + kId + "\n",
     kId, "containerd", "", ""},
    {"kind_in_docker",
     "0::/docker/" + kId +
         "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
         "kubelet-kubepods-burstable-pod" +
         kPodUnderscore + ".slice/cri-containerd-" + kInner + ".scope\n",
     kInner, "containerd", kPod, ""},
    {"pod_without_container", "0::/kubepods/burstable/pod" + kPod + "\n", "", "kubernetes", kPod,
     ""},
    {"crio", "0::/kubepods.slice/kubepods-pod" + kPodUnderscore + ".slice/crio-" + kId + ".scope\n",
     kId, "crio", kPod, ""},
    {"crio_nested_container_cgroup",
     "0::/kubepods.slice/kubepods-pod" + kPodUnderscore + ".slice/crio-" + kId +
         ".scope/container\n",
     kId, "crio", kPod, ""},
    {"crio_monitor", "0::/system.slice/crio-conmon-" + kId + ".scope\n", "", "", "",
     "system.slice"},
    {"podman_root", "0::/machine.slice/libpod-" + kId + ".scope/container\n", kId, "podman", "",
     ""},
    {"podman_rootless",
     "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId +
         ".scope/container\n",
     kId, "podman", "", "user@1000.service"},
    {"podman_cgroupfs", "0::/libpod_parent/" + kId + "\n", kId, "podman", "", ""},
    {"podman_quadlet", "0::/system.slice/web.service/libpod-payload-" + kId + "\n", kId, "podman",
     "", "web.service"},
    {"podman_monitor", "0::/machine.slice/libpod-conmon-" + kId + ".scope\n", "", "", "",
     "machine.slice"},
    {"runc_bare", "0::/" + kId + "\n", kId, "runc", "", ""},
    {"nspawn_service",
     "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service\n", "",
     "nspawn", "", "systemd-nspawn@web.service"},
    {"nspawn_scope", "0::/machine.slice/machine-web.scope/payload\n", "", "nspawn", "",
     "machine-web.scope"},
    {"virtual_machine", "0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator\n", "",
     "", "", "machine-qemu\\x2d1\\x2dvm.scope"},
    {"service", "0::/system.slice/nginx.service\n", "", "", "", "nginx.service"},
    {"service_with_subgroup", "0::/system.slice/nginx.service/worker\n", "", "", "",
     "nginx.service"},
    {"session", "0::/user.slice/user-1000.slice/session-3.scope\n", "", "", "", "session-3.scope"},
    {"user_service", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service\n",
     "", "", "", "editor.service"},
    {"user_manager", "0::/user.slice/user-1000.slice/user@1000.service\n", "", "", "",
     "user@1000.service"},
    {"slice_only", "0::/user.slice/user-1000.slice\n", "", "", "", "user-1000.slice"},
    {"hybrid_service",
     "5:cpu,cpuacct:/\n1:name=systemd:/system.slice/cron.service\n0::/system.slice/cron.service\n",
     "", "", "", "cron.service"},
    {"cgroup_namespace", "0::/../../docker/" + kId + "\n", kId, "docker", "", ""},
    {"root", "0::/\n", "", "", "", ""},
    {"empty", "", "", "", "", ""},
    {"nonsense", "\n::\n:\nx\n0:\n9:cpu\n", "", "", "", ""},
    {"id_too_short", "0::/docker/" + kId.substr(1) + "\n", "", "", "", ""},
    {"id_not_hex", "0::/docker/g" + kId.substr(1) + "\n", "", "", "", ""},
    {"id_without_separator", "0::/xdocker" + kId + "\n", "", "", "", ""},
};

INSTANTIATE_TEST_SUITE_P(Runtimes, IdentifyTest, testing::ValuesIn(kCases),
                         [](const auto& entry) { return entry.param.name; });

TEST(IdentifyPathTest, path_is_of_the_hierarchy_that_told) {
  EXPECT_EQ(identify("4:cpuacct:/docker/" + kId + "\n0::/\n").cgroup_path, "/docker/" + kId);
  EXPECT_EQ(identify("4:cpuacct:/a:b\n0::/\n").cgroup_path, "/a:b");
  EXPECT_EQ(identify("4:cpuacct:/a\n0::/b\n").cgroup_path, "/b");
  EXPECT_EQ(identify("0::/\n").cgroup_path, "/");
}

}  // namespace
}  // namespace pyprof::process
