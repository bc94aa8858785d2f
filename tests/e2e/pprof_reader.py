# SPDX-License-Identifier: Apache-2.0
"""A reader of pprof files that shares nothing with the profiler's writer: gzip and the protobuf wire format."""

import gzip


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """{field number: [values]}: int for varints, bytes for what has a length."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            assert len(value) == size, "field %d runs over the end" % (key >> 3)
        else:
            raise ValueError("wire type %d is not used by pprof" % wire)
        found.setdefault(key >> 3, []).append(value)
    return found


def integers(values):
    """A repeated integer field, packed or not, signed."""
    out = []
    for value in values:
        if isinstance(value, int):
            out.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            out.append(number)
    return [v - (1 << 64) if v >> 63 else v for v in out]


class Profile:
    """samples: [{"values", "stack": [(function, file, line)] leaf first, "labels"}]; mappings: [{...}]."""

    def __init__(self, raw):
        top = fields(gzip.decompress(raw))
        self.strings = [s.decode("utf-8") for s in top.get(6, [])]
        assert self.strings and self.strings[0] == "", "the string table starts with the empty string"
        self.sample_types = [self._value_type(v) for v in top.get(1, [])]
        self.period_type = self._value_type(top[11][0]) if 11 in top else None
        self.period = top.get(12, [0])[0]
        self.time_ns = top.get(9, [0])[0]
        self.duration_ns = top.get(10, [0])[0]
        self.mappings = [self._mapping(m) for m in top.get(3, [])]
        self._functions = {f["id"]: f for f in map(self._function, top.get(5, []))}
        self._locations = {loc["id"]: loc for loc in map(self._location, top.get(4, []))}
        self.samples = [self._sample(s) for s in top.get(2, [])]

    def total(self, sample_type):
        index = [name for name, _ in self.sample_types].index(sample_type)
        return sum(s["values"][index] for s in self.samples)

    def _value_type(self, raw):
        f = fields(raw)
        return self.strings[f.get(1, [0])[0]], self.strings[f.get(2, [0])[0]]

    def _mapping(self, raw):
        f = fields(raw)
        return {
            "id": f[1][0],
            "start": f.get(2, [0])[0],
            "limit": f.get(3, [0])[0],
            "file": self.strings[f.get(5, [0])[0]],
            "build_id": self.strings[f.get(6, [0])[0]],
        }

    def _function(self, raw):
        f = fields(raw)
        return {"id": f[1][0], "name": self.strings[f.get(2, [0])[0]], "file": self.strings[f.get(4, [0])[0]]}

    def _location(self, raw):
        f = fields(raw)
        lines = [fields(line) for line in f.get(4, [])]
        for line in lines:
            assert line[1][0] in self._functions, "a location names a function that is not there"
        return {"id": f[1][0], "lines": [(line[1][0], line.get(2, [0])[0]) for line in lines]}

    def _sample(self, raw):
        f = fields(raw)
        stack = []
        for location in integers(f.get(1, [])):
            for function, line in self._locations[location]["lines"]:
                stack.append((self._functions[function]["name"], self._functions[function]["file"], line))
        labels = {}
        for label in map(fields, f.get(3, [])):
            key = self.strings[label[1][0]]
            labels[key] = self.strings[label[2][0]] if 2 in label else integers(label.get(3, [0]))[0]
        return {"values": integers(f.get(2, [])), "stack": stack, "labels": labels}
