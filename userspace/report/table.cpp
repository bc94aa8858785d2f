// SPDX-License-Identifier: Apache-2.0
#include "userspace/report/table.h"

#include <algorithm>

#include "userspace/aggregate/clean_text.h"

namespace pyprof::report {

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = aggregate::count_code_points(columns_[i].name);
    for (const auto& row : rows_) {
      const std::size_t cell = aggregate::count_code_points(row[i]);
      if (cell <= columns_[i].max_width) width = std::max(width, cell);
    }
    widths.push_back(width);
  }
  return widths;
}

void Table::append_row(std::string& out, const std::vector<std::string>& row,
                       const std::vector<std::size_t>& widths) const {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t cell = aggregate::count_code_points(row[i]);
    const std::string padding(cell < widths[i] ? widths[i] - cell : 0, ' ');
    if (i > 0) out += "  ";
    out += columns_[i].right ? padding + row[i] : row[i] + padding;
  }
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

std::string Table::text() const {
  const std::vector<std::size_t> column_widths = widths();
  std::vector<std::string> names;
  for (const Column& column : columns_)
    names.push_back(column.name);
  std::string out;
  append_row(out, names, column_widths);
  for (const auto& row : rows_)
    append_row(out, row, column_widths);
  return out;
}

}  // namespace pyprof::report
