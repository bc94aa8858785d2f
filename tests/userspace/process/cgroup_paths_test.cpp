// SPDX-License-Identifier: Apache-2.0
#include "userspace/process/cgroup_paths.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tests/userspace/process/live_process.h"

namespace pyprof::process {
namespace {

CgroupLayout layout_of(const std::string& mountinfo) {
  const TemporaryDirectory root;
  root.write("self/mountinfo", mountinfo);
  return detect_cgroups(ProcFs(root.path()));
}

TEST(DetectCgroupsTest, unified) {
  const auto layout = layout_of(
      "24 30 0:22 / /proc rw,nosuid shared:12 - proc proc rw\n"
      "34 25 0:29 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n");
  EXPECT_EQ(layout.mode, CgroupMode::kV2);
  EXPECT_EQ(layout.v2_mount, "/sys/fs/cgroup");
  EXPECT_EQ(layout.cpuacct_mount, "");
}

TEST(DetectCgroupsTest, hybrid) {
  const auto layout = layout_of(
      "35 34 0:30 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw\n"
      "36 34 0:31 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,name=systemd\n"
      "40 34 0:35 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n");
  EXPECT_EQ(layout.mode, CgroupMode::kHybrid);
  EXPECT_EQ(layout.v2_mount, "/sys/fs/cgroup/unified");
  EXPECT_EQ(layout.cpuacct_mount, "/sys/fs/cgroup/cpu,cpuacct");
}

TEST(DetectCgroupsTest, v1_and_none_and_v2_beside_a_named_hierarchy) {
  EXPECT_EQ(layout_of("40 34 0:35 / /cg/cpuacct rw - cgroup cgroup rw,cpuacct\n").mode,
            CgroupMode::kV1);
  EXPECT_EQ(layout_of("24 30 0:22 / /proc rw - proc proc rw\n").mode, CgroupMode::kNone);
  EXPECT_EQ(layout_of("\n - \nx\n").mode, CgroupMode::kNone);
  EXPECT_EQ(layout_of("35 34 0:30 / /c rw - cgroup2 cgroup2 rw\n"
                      "36 34 0:31 / /s rw - cgroup cgroup rw,name=systemd\n")
                .mode,
            CgroupMode::kV2);
}

TEST(DetectCgroupsTest, prefers_the_mount_of_the_root_and_undoes_escapes) {
  const auto layout = layout_of(
      "34 25 0:29 /docker/x /inner rw - cgroup2 cgroup2 rw\n"
      "35 25 0:29 / /host\\040cgroup rw - cgroup2 cgroup2 rw\n"
      "36 25 0:29 /docker/x /other rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(layout.v2_mount, "/host cgroup");
}

// A cgroup of our own, removed at the end; not valid where the mount is read-only.
class OwnCgroup {
 public:
  explicit OwnCgroup(const std::string& mount)
      : outer_(mount + "/pyprof-test-" + std::to_string(::getpid())), inner_(outer_ + "/inner") {
    valid_ =
        !mount.empty() && ::mkdir(outer_.c_str(), 0755) == 0 && ::mkdir(inner_.c_str(), 0755) == 0;
    struct stat status {};
    if (valid_ && ::stat(inner_.c_str(), &status) == 0) id_ = status.st_ino;
    path_ = inner_.substr(mount.size());
  }
  ~OwnCgroup() { remove(); }
  OwnCgroup(const OwnCgroup&) = delete;
  OwnCgroup& operator=(const OwnCgroup&) = delete;

  void remove() const {
    ::rmdir(inner_.c_str());
    ::rmdir(outer_.c_str());
  }
  [[nodiscard]] bool valid() const { return valid_; }
  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string outer_;
  std::string inner_;
  std::string path_;
  uint64_t id_ = 0;
  bool valid_ = false;
};

void find_own_cgroup(CgroupHierarchy hierarchy) {
  const auto layout = detect_cgroups(ProcFs());
  const auto& mount = hierarchy == CgroupHierarchy::kV2 ? layout.v2_mount : layout.cpuacct_mount;
  CgroupPaths paths(layout, hierarchy);
  const OwnCgroup cgroup(mount);
  if (!cgroup.valid()) GTEST_SKIP() << "no writable cgroup mount at '" << mount << "'";
  EXPECT_EQ(paths.find(cgroup.id()), cgroup.path());
  cgroup.remove();
  EXPECT_EQ(paths.find(cgroup.id()), cgroup.path()) << "known paths outlive their cgroup";
  struct stat status {};
  ASSERT_EQ(::stat(mount.c_str(), &status), 0);
  EXPECT_EQ(paths.find(status.st_ino), "/");
  EXPECT_FALSE(paths.find(~uint64_t{0} - 1));
  EXPECT_LE(paths.scans(), 1U);
}

TEST(CgroupPathsTest, finds_a_new_v2_cgroup_by_its_id) {
  find_own_cgroup(CgroupHierarchy::kV2);
}

TEST(CgroupPathsTest, finds_a_new_v1_cgroup_by_its_id) {
  find_own_cgroup(CgroupHierarchy::kCpuacct);
}

// An ordinary directory tree can't be opened by cgroup ids, so it is scanned like a hierarchy is
// where that is not permitted.
class ScannedTreeTest : public testing::Test {
 protected:
  uint64_t make(const std::string& name) {
    const auto path = tree_.path() / name;
    std::filesystem::create_directories(path);
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
  }
  CgroupLayout layout() { return {CgroupMode::kV2, tree_.path(), ""}; }

  TemporaryDirectory tree_;
};

TEST_F(ScannedTreeTest, scans_at_most_once_per_interval) {
  const auto first = make("a/b");
  CgroupPaths paths(layout(), CgroupHierarchy::kV2);
  const auto start = CgroupPaths::Clock::now();
  EXPECT_EQ(paths.find(first, start), "/a/b");
  const auto second = make("a/c");
  EXPECT_FALSE(paths.find(second, start + std::chrono::milliseconds(500)));
  EXPECT_EQ(paths.scans(), 1U);
  EXPECT_EQ(paths.find(second, start + std::chrono::milliseconds(1500)), "/a/c");
  EXPECT_EQ(paths.scans(), 2U);
}

TEST_F(ScannedTreeTest, keeps_to_its_caps) {
  for (int i = 0; i < 50; ++i)
    make("many/" + std::to_string(i));
  std::string deep;
  for (int i = 0; i < 20; ++i)
    deep += "d/";
  const auto too_deep = make(deep);
  CgroupPaths few(layout(), CgroupHierarchy::kV2, {.max_paths = 10});
  (void)few.find(1);
  EXPECT_EQ(few.size(), 10U);
  CgroupPaths shallow(layout(), CgroupHierarchy::kV2, {.max_depth = 8});
  EXPECT_FALSE(shallow.find(too_deep));
  EXPECT_EQ(CgroupPaths(layout(), CgroupHierarchy::kV2).find(too_deep), "/" + deep.substr(0, 39));
}

TEST_F(ScannedTreeTest, does_not_follow_symbolic_links) {
  const TemporaryDirectory elsewhere;
  std::filesystem::create_directory(elsewhere.path() / "x");
  std::filesystem::create_directory_symlink(elsewhere.path(), tree_.path() / "link");
  struct stat status {};
  ASSERT_EQ(::stat((elsewhere.path() / "x").c_str(), &status), 0);
  EXPECT_FALSE(CgroupPaths(layout(), CgroupHierarchy::kV2).find(status.st_ino));
}

TEST(CgroupPathsTest, an_absent_hierarchy_knows_nothing) {
  EXPECT_FALSE(CgroupPaths(CgroupLayout{}, CgroupHierarchy::kCpuacct).find(1));
}

}  // namespace
}  // namespace pyprof::process
