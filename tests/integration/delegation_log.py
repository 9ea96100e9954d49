"""What stands on a topic of delegations, read without any code of ours: the records from the log files of Apache Kafka, the values
by the text of the Avro schema alone.
"""
import functools
import json
import os
import struct

from harness import ROOT, check

CHANGE, WATERMARK = "DelegationChange", "DelegationWatermark"


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def long(self):
        bits = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            bits |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (bits >> 1) ^ -(bits & 1)

    def text(self):
        size = self.long()
        self.at += size
        return self.data[self.at - size:self.at].decode()


def read_value(reader, kind, names):
    if isinstance(kind, str) and kind in names:
        kind = names[kind]
    if isinstance(kind, list):
        return read_value(reader, kind[reader.long()], names)
    if isinstance(kind, dict):
        if kind["type"] in ("record", "enum"):
            names[kind["name"]] = kind
        if kind["type"] == "record":
            return {field["name"]: read_value(reader, field["type"], names) for field in kind["fields"]}
        if kind["type"] == "enum":
            return kind["symbols"][reader.long()]
        if kind["type"] == "array":
            items = []
            while (count := reader.long()) != 0:
                items += [read_value(reader, kind["items"], names) for _ in range(count)]
            return items
        return read_value(reader, kind["type"], names)
    if kind == "null":
        return None
    if kind == "boolean":
        reader.at += 1
        return reader.data[reader.at - 1] == 1
    return {"int": reader.long, "long": reader.long, "string": reader.text}[kind]()


def declare(kind, names):
    """Named types may be used before the branch that declares them is read."""
    if isinstance(kind, list):
        for branch in kind:
            declare(branch, names)
    elif isinstance(kind, dict):
        if "name" in kind:
            names[kind["name"]] = kind
        for part in [field["type"] for field in kind.get("fields", [])] + [kind.get("items"), kind.get("type")]:
            if isinstance(part, (dict, list)):
                declare(part, names)


@functools.lru_cache
def schema_and_names(name):
    with open(os.path.join(ROOT, f"schemas/no/altinn/sync/{name}.avsc"), encoding="utf-8") as handle:
        schema = json.load(handle)
    names = {}
    declare(schema, names)
    return schema, names


def decode(data, name=CHANGE):
    schema, names = schema_and_names(name)
    check(data[:2] == b"\xc3\x01", "framed by a fingerprint")
    reader = Reader(data[10:])
    value = read_value(reader, schema, names)
    check(reader.at == len(reader.data), "every byte is used")
    return value


def varint(data, at):
    """A number as Kafka writes it in a record: zigzag, as Avro does."""
    bits = shift = 0
    while True:
        byte = data[at]
        at += 1
        bits |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (bits >> 1) ^ -(bits & 1), at


def field(data, at):
    """Bytes with their size before them; a size below 0 is null."""
    count, at = varint(data, at)
    return (None, at) if count < 0 else (bytes(data[at:at + count]), at + count)


def batch_records(data, at, base):
    """(offset, key, value, headers) of the records of one batch, format 2, not compressed."""
    attributes, = struct.unpack_from(">h", data, at + 21)
    count, = struct.unpack_from(">i", data, at + 57)
    check(attributes & 7 == 0, "batches are not compressed")
    place = at + 61
    for _ in range(0 if attributes & 0x20 else count):
        size, place = varint(data, place)
        end = place + size
        _, here = varint(data, place + 1)
        delta, here = varint(data, here)
        key, here = field(data, here)
        value, here = field(data, here)
        total, here = varint(data, here)
        headers = {}
        for _ in range(total):
            name, here = field(data, here)
            text, here = field(data, here)
            headers[name.decode()] = text.decode()
        yield base + delta, key, value, headers
        place = end


def partition_records(directory):
    for name in sorted(n for n in os.listdir(directory) if n.endswith(".log")):
        with open(os.path.join(directory, name), "rb") as handle:
            data = memoryview(handle.read())
        at = 0
        while at + 61 <= len(data):
            base, size = struct.unpack_from(">qi", data, at)
            if size <= 0 or at + 12 + size > len(data):
                break  # space that the broker took in advance, or a batch that it is still writing
            yield from batch_records(data, at, base)
            at += 12 + size


def records(stack, topic, schema=CHANGE):
    """Every record that stands there now, in order of its partition: partition, offset, key, headers, value (decoded by the schema of
    this name)."""
    base = os.path.join(stack.kafka_directory, "data")
    found = []
    for name in sorted(os.listdir(base)):
        if name.rpartition("-")[0] == topic:
            partition = int(name.rpartition("-")[2])
            rows = list(partition_records(os.path.join(base, name)))
            check([row[0] for row in rows] == list(range(len(rows))), f"{name}: the offsets are dense")
            found += [{"partition": partition, "offset": offset, "key": key and key.decode(), "headers": headers,
                       "value": decode(value, schema)}
                      for offset, key, value, headers in rows]
    return found
