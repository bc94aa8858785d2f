// SPDX-License-Identifier: Apache-2.0
#include "userspace/import/pprof_message.h"

#include <protozero/pbf_reader.hpp>
#include <utility>

namespace pyprof::importer {
namespace {

using protozero::pbf_reader;

std::string_view view(const protozero::data_view& data) {
  return {data.data(), data.size()};
}

// Numbers of a repeated field come packed or one by one.
template <typename Number, typename Range>
void append(std::vector<Number>& to, const Range& range) {
  for (const auto number : range)
    to.push_back(static_cast<Number>(number));
}

void append_comments(pbf_reader& message, std::vector<int64_t>& comments) {
  if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
    append(comments, message.get_packed_int64());
  } else {
    comments.push_back(message.get_int64());
  }
}

PprofValueType read_value_type(pbf_reader message) {
  PprofValueType type;
  while (message.next()) {
    if (message.tag() == 1) {
      type.type = message.get_int64();
    } else if (message.tag() == 2) {
      type.unit = message.get_int64();
    } else {
      message.skip();
    }
  }
  return type;
}

PprofLabel read_label(pbf_reader message) {
  PprofLabel label;
  while (message.next()) {
    switch (message.tag()) {
      case 1:
        label.key = message.get_int64();
        break;
      case 2:
        label.text = message.get_int64();
        break;
      case 3:
        label.number = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return label;
}

PprofSample read_sample(pbf_reader message) {
  PprofSample sample;
  while (message.next()) {
    const bool packed = message.wire_type() == protozero::pbf_wire_type::length_delimited;
    if (message.tag() == 1 && packed) {
      append(sample.locations, message.get_packed_uint64());
    } else if (message.tag() == 1) {
      sample.locations.push_back(message.get_uint64());
    } else if (message.tag() == 2 && packed) {
      append(sample.values, message.get_packed_int64());
    } else if (message.tag() == 2) {
      sample.values.push_back(message.get_int64());
    } else if (message.tag() == 3) {
      sample.labels.push_back(read_label(message.get_message()));
    } else {
      message.skip();
    }
  }
  return sample;
}

std::pair<uint64_t, PprofMapping> read_mapping(pbf_reader message) {
  std::pair<uint64_t, PprofMapping> mapping;
  while (message.next()) {
    switch (message.tag()) {
      case 1:
        mapping.first = message.get_uint64();
        break;
      case 5:
        mapping.second.filename = message.get_int64();
        break;
      case 6:
        mapping.second.build_id = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return mapping;
}

PprofLine read_line(pbf_reader message) {
  PprofLine line;
  while (message.next()) {
    if (message.tag() == 1) {
      line.function = message.get_uint64();
    } else if (message.tag() == 2) {
      line.line = message.get_int64();
    } else {
      message.skip();
    }
  }
  return line;
}

std::pair<uint64_t, PprofLocation> read_location(pbf_reader message) {
  std::pair<uint64_t, PprofLocation> location;
  while (message.next()) {
    switch (message.tag()) {
      case 1:
        location.first = message.get_uint64();
        break;
      case 2:
        location.second.mapping = message.get_uint64();
        break;
      case 3:
        location.second.address = message.get_uint64();
        break;
      case 4:
        location.second.lines.push_back(read_line(message.get_message()));
        break;
      default:
        message.skip();
    }
  }
  return location;
}

std::pair<uint64_t, PprofFunction> read_function(pbf_reader message) {
  std::pair<uint64_t, PprofFunction> function;
  while (message.next()) {
    switch (message.tag()) {
      case 1:
        function.first = message.get_uint64();
        break;
      case 2:
        function.second.name = message.get_int64();
        break;
      case 4:
        function.second.filename = message.get_int64();
        break;
      case 5:
        function.second.start_line = message.get_int64();
        break;
      default:
        message.skip();
    }
  }
  return function;
}

// False if the field is none of the tables.
bool read_table(pbf_reader& message, PprofMessage& into) {
  switch (message.tag()) {
    case 1:
      into.sample_types.push_back(read_value_type(message.get_message()));
      return true;
    case 2:
      into.samples.push_back(read_sample(message.get_message()));
      return true;
    case 3:
      into.mappings.insert(read_mapping(message.get_message()));
      return true;
    case 4:
      into.locations.insert(read_location(message.get_message()));
      return true;
    case 5:
      into.functions.insert(read_function(message.get_message()));
      return true;
    case 6:
      into.strings.push_back(view(message.get_view()));
      return true;
    default:
      return false;
  }
}

}  // namespace

PprofMessage read_pprof_message(std::string_view bytes) {
  PprofMessage into;
  pbf_reader message(bytes.data(), bytes.size());
  while (message.next()) {
    if (read_table(message, into)) continue;
    switch (message.tag()) {
      case 9:
        into.time_ns = message.get_int64();
        break;
      case 10:
        into.duration_ns = message.get_int64();
        break;
      case 11:
        into.period_type = read_value_type(message.get_message());
        break;
      case 12:
        into.period = message.get_int64();
        break;
      case 13:
        append_comments(message, into.comments);
        break;
      default:
        message.skip();
    }
  }
  return into;
}

}  // namespace pyprof::importer
