// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pyprof::report {

// Lines of columns, as wide as their widest cell in code points. Cells are clean text
// (aggregate/clean_text.h). The last column is never padded.
class Table {
 public:
  struct Column {
    std::string name;
    bool right = false;          // numbers: aligned to the right
    std::size_t max_width = 60;  // longer cells push their line, they are never cut
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // The names, then the rows; each line ends in a newline and in no blanks.
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;
  void append_row(std::string& out, const std::vector<std::string>& row,
                  const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pyprof::report
