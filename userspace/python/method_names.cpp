// SPDX-License-Identifier: Apache-2.0
#include "userspace/python/method_names.h"

#include <algorithm>
#include <cstring>

namespace pyprof::python {
namespace {

constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxTypeName = 256;
constexpr std::size_t kMaxClasses = 128;  // bases of one class
constexpr std::size_t kMaxItems = 128;    // of a tuple
constexpr int kMaxDepth = 3;              // functions inside of decorators
constexpr std::size_t kMaxFunctions = 4096;
constexpr uint32_t kMaxReads = 200'000;
constexpr uint64_t kMaxBytes = 64u << 20;

// Equal in 2.7 and 3.6 to 3.10.
constexpr uint64_t kObjectType = 8;
constexpr uint64_t kTypeName = 24;  // PyTypeObject
constexpr uint64_t kTypeDict = 264;
constexpr uint64_t kTypeMro = 344;
constexpr uint64_t kTupleSize = 16;
constexpr uint64_t kTupleItems = 24;
constexpr uint64_t kCellValue = 16;
constexpr uint64_t kWrapped = 16;           // cm_callable, sm_callable, prop_get (set, del follow)
constexpr uint64_t kFlagType = 1ull << 31;  // tp_flags of a metaclass

// 2.7's classes that don't derive from object.
constexpr uint64_t kInstanceClass = 16;  // PyInstanceObject.in_class
constexpr uint64_t kClassBases = 16;     // PyClassObject
constexpr uint64_t kClassDict = 24;
constexpr uint64_t kClassName = 32;

std::string last_part(const std::string& qualname) {
  return qualname.substr(qualname.rfind('.') + 1);
}

}  // namespace

MethodFinder::MethodFinder(const Memory& memory, const wire_python_config& config,
                           const RuntimeOffsets& offsets)
    : memory_(memory, kMaxReads, kMaxBytes),
      config_(config),
      offsets_(offsets),
      objects_(memory_, config_, offsets_) {}

std::optional<std::string> MethodFinder::find(const model::CodeObject& code) {
  uint64_t name = 0;
  uint32_t first_line = 0;
  if (!memory_.read_value(code.address + config_.code_qualname, name) ||
      !memory_.read_value(code.address + config_.code_first_line, first_line) ||
      first_line != code.first_line || !objects_.has_type_flag(code.argument_type, kFlagType))
    return std::nullopt;
  const auto plain = objects_.text(name, kMaxNameBytes);
  if (!plain || !code.qualname.ends_with(plain->utf8)) return std::nullopt;
  for (const uint64_t type : classes_of(code)) {
    const Functions& functions = functions_of(type);
    const auto found = functions.find(code.address);
    if (found != functions.end()) return name_of(type, found->second, plain->utf8);
  }
  return plain->utf8;
}

std::string MethodFinder::type_name(uint64_t type) const {
  uint64_t address = 0;
  char text[kMaxTypeName] = {};
  if (!memory_.read_value(type + kTypeName, address)) return "";
  // A short string at the end of a page: read what there is of it.
  for (std::size_t bytes = sizeof(text); bytes >= 16; bytes /= 2) {
    if (!memory_.read(address, text, bytes)) continue;
    return std::string(text, strnlen(text, bytes));
  }
  return "";
}

MethodFinder::Kind MethodFinder::kind_of(uint64_t object) {
  uint64_t type = 0;
  if (!object || !memory_.read_value(object + kObjectType, type)) return Kind::kOther;
  const auto [known, fresh] = kinds_.try_emplace(type, Kind::kOther);
  if (fresh) {
    const std::string name = type_name(type);
    if (name == "function") known->second = Kind::kFunction;
    if (name == "classmethod" || name == "staticmethod") known->second = Kind::kWrapper;
    if (name == "property") known->second = Kind::kProperty;
  }
  return known->second;
}

std::vector<uint64_t> MethodFinder::tuple_items(uint64_t tuple) const {
  int64_t size = 0;
  if (!tuple || !memory_.read_value(tuple + kTupleSize, size) || size <= 0) return {};
  std::vector<uint64_t> items(std::min<std::size_t>(static_cast<std::size_t>(size), kMaxItems));
  if (!memory_.read(tuple + kTupleItems, items.data(), items.size() * sizeof(items[0]))) return {};
  return items;
}

bool MethodFinder::is_old_style(uint64_t type) const {
  return config_.version < 0x300 &&
         (type_name(type) == "instance" || type_name(type) == "classobj");
}

void MethodFinder::append_mro(uint64_t type, std::vector<uint64_t>& classes) const {
  uint64_t mro = 0;
  if (!memory_.read_value(type + kTypeMro, mro)) return;
  const auto items = tuple_items(mro);
  classes.insert(classes.end(), items.begin(), items.end());
}

// Depth first, left to right.
void MethodFinder::append_old_style(uint64_t type, std::vector<uint64_t>& classes) const {
  std::vector<uint64_t> left{type};
  while (!left.empty() && classes.size() < kMaxClasses) {
    const uint64_t next = left.back();
    left.pop_back();
    classes.push_back(next);
    uint64_t bases = 0;
    if (!memory_.read_value(next + kClassBases, bases)) continue;
    const auto items = tuple_items(bases);
    left.insert(left.end(), items.rbegin(), items.rend());
  }
}

// A class as first argument is searched itself, and then like any object: its methods may be those
// of a metaclass.
std::vector<uint64_t> MethodFinder::classes_of(const model::CodeObject& code) const {
  std::vector<uint64_t> classes;
  uint64_t type = 0, old_class = 0;
  const bool alive = code.argument && memory_.read_value(code.argument + kObjectType, type) &&
                     type == code.argument_type;
  if (is_old_style(code.argument_type)) {
    const bool is_class = type_name(code.argument_type) == "classobj";
    if (alive && is_class) append_old_style(code.argument, classes);
    if (alive && !is_class && memory_.read_value(code.argument + kInstanceClass, old_class))
      append_old_style(old_class, classes);
    return classes;
  }
  if (alive && objects_.has_type_flag(code.argument, kFlagType)) append_mro(code.argument, classes);
  append_mro(code.argument_type, classes);
  return classes;
}

const MethodFinder::Functions& MethodFinder::functions_of(uint64_t type) {
  const auto [known, fresh] = classes_.try_emplace(type);
  if (!fresh) return known->second;
  Functions& functions = known->second;
  uint64_t own_type = 0, dict = 0;
  if (!memory_.read_value(type + kObjectType, own_type)) return functions;
  const uint64_t offset = is_old_style(own_type) ? kClassDict : kTypeDict;
  if (!memory_.read_value(type + offset, dict)) return functions;
  for (const auto& entry : objects_.dict_entries(dict)) {
    if (functions.size() >= kMaxFunctions) break;
    add(entry.value, 0, functions);
  }
  return functions;
}

// The functions that an attribute of a class leads to.
void MethodFinder::add(uint64_t object, int depth, Functions& functions) {
  if (depth > kMaxDepth) return;
  const Kind kind = kind_of(object);
  if (kind == Kind::kFunction) return add_function(object, depth, functions);
  if (kind == Kind::kOther) {
    // such as functools.cached_property: an object with the function as its attribute
    const uint64_t function = depth == 0 ? objects_.attribute(object, "func") : 0;
    if (function) add(function, depth + 1, functions);
    return;
  }
  uint64_t wrapped[3] = {};
  const std::size_t count = kind == Kind::kProperty ? 3 : 1;
  if (!memory_.read(object + kWrapped, wrapped, count * sizeof(wrapped[0]))) return;
  for (std::size_t i = 0; i < count; ++i)
    if (wrapped[i]) add(wrapped[i], depth + 1, functions);
}

// A decorated function is in a cell of its wrapper.
void MethodFinder::add_function(uint64_t function, int depth, Functions& functions) {
  uint64_t code = 0, closure = 0;
  if (!memory_.read_value(function + offsets_.function_code, code) ||
      !memory_.read_value(function + offsets_.function_closure, closure))
    return;
  functions.try_emplace(code, function);
  for (const uint64_t cell : tuple_items(closure)) {
    uint64_t value = 0;
    if (!memory_.read_value(cell + kCellValue, value)) continue;
    const Kind kind = kind_of(value);
    if (kind == Kind::kFunction || kind == Kind::kWrapper) add(value, depth + 1, functions);
  }
}

// functools.wraps() gives a wrapper the name of what it wraps: that is no name of the wrapper's
// code.
std::optional<std::string> MethodFinder::name_of(uint64_t type, uint64_t function,
                                                 const std::string& plain) {
  uint64_t address = 0;
  if (!memory_.read_value(function + offsets_.function_name, address)) return std::nullopt;
  const auto name = objects_.text(address, kMaxNameBytes);
  if (!name || !name->whole) return std::nullopt;
  if (last_part(name->utf8) != plain) return plain;
  if (config_.version >= 0x300) return name->utf8;
  const auto owner = class_name(type);
  return owner ? std::optional(*owner + '.' + plain) : std::nullopt;
}

// 2.7 has no qualified names: the class's own.
std::optional<std::string> MethodFinder::class_name(uint64_t type) const {
  uint64_t own_type = 0, name = 0;
  if (!memory_.read_value(type + kObjectType, own_type)) return std::nullopt;
  if (!is_old_style(own_type)) return last_part(type_name(type));
  if (!memory_.read_value(type + kClassName, name)) return std::nullopt;
  const auto text = objects_.text(name, kMaxNameBytes);
  return text ? std::optional(text->utf8) : std::nullopt;
}

}  // namespace pyprof::python
