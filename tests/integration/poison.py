"""Bad records, each with the code it must be parked with. Written by hand from the Avro specification, so that nothing
here is made by the code under test."""
import time
import uuid

FINGERPRINT = bytes.fromhex("c30197fb4404b1e3d394")
PARTY = "11111111-2222-4333-8444-555555555555"
YEAR_2100_US = 4102444800 * 1000000


def long(value):
    """Avro's zig-zag variable-length integer."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value & ~0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return long(len(raw)) + raw


def record(**change):
    """The bytes of one StatusChange; any field may be replaced by ready-made bytes."""
    now = int(time.time() * 1e6) - 60 * 1000000
    fields = {
        "system": long(0), "stream": text("altinn2-status.1"), "sequence": long(change.pop("number", 1)),
        "origin": long(0), "altinn2_id": long(1) + long(change.pop("a2", 7001)), "altinn3_id": long(0), "mode": long(0),
        "captured_at_us": long(now), "written_by_sync": b"\x00", "kind": long(4), "occurred_at_us": long(now),
        "party_uuid": text(PARTY), "user_uuid": long(0), "altinn2_party_id": long(0),
    }
    assert set(change) <= set(fields), change
    fields.update(change)
    return FINGERPRINT + b"".join(fields.values())


def kinds(a2):
    """(name, Kafka key, value or None, code) for one message id; more than 30 kinds."""
    key = str(a2)
    good = record(a2=a2)

    def one(name, code, **change):
        return name, key, record(a2=a2, **change), code

    return [
        ("no value", key, None, "empty_value"),
        ("empty value", key, b"", "empty_value"),
        ("text instead of Avro", key, b'{"kind":4}', "framing"),
        ("half a magic", key, b"\xc3", "framing"),
        ("fingerprint cut", key, FINGERPRINT[:6], "framing"),
        ("schema id without a registry", key, b"\x00\x00\x00\x00\x07" + good[10:], "schema_unknown"),
        ("unknown fingerprint", key, b"\xc3\x01" + bytes(8) + good[10:], "schema_unknown"),
        ("nothing after the fingerprint", key, FINGERPRINT, "truncated"),
        ("cut in the middle", key, good[: len(good) // 2], "truncated"),
        ("last byte missing", key, good[:-1], "truncated"),
        ("one byte too many", key, good + b"\x00", "trailing_bytes"),
        one("endless varint", "varint", sequence=b"\xff" * 12),
        one("negative length", "length", stream=long(-5)),
        one("length of two billion", "length", stream=long(2000000000)),
        one("length of 2^62", "length", stream=long(2**62)),
        one("unknown system", "enum_symbol", system=long(7)),
        one("negative enum index", "enum_symbol", mode=long(-1)),
        one("unknown mode", "enum_symbol", mode=long(5)),
        one("union branch out of range", "union_branch", origin=long(9)),
        one("bad UTF-8", "utf8", stream=text(b"a\xff\xfeb")),
        one("overlong UTF-8", "utf8", stream=text(b"a\xc0\x80b")),
        one("NUL in a text", "utf8", stream=text(b"a\x00b")),
        one("party is not a UUID", "uuid", party_uuid=text("not-a-uuid")),
        one("UUID without hyphens", "uuid", party_uuid=text(uuid.UUID(PARTY).hex + "abcd")),
        one("boolean of two", "boolean", written_by_sync=b"\x02"),
        one("kind beyond int32", "varint", kind=long(2**40)),
        one("empty stream", "field_range", stream=text("")),
        one("stream of 65 bytes", "field_range", stream=text("s" * 65)),
        one("no Altinn 2 id", "field_missing", altinn2_id=long(0)),
        one("Altinn 2 id zero", "field_range", altinn2_id=long(1) + long(0)),
        one("born in the other system", "field_range", system=long(1), altinn3_id=long(1) + text(PARTY)),
        ("key of another message", str(a2 + 1), good, "key_mismatch"),
        ("key that is no number", "abc", good, "key_mismatch"),
        one("unknown kind", "kind_unknown", kind=long(99)),
        one("origin is its own system", "origin", origin=long(1) + long(0) + text("altinn2-status.1") + long(4)),
        one("origin without stream", "origin", origin=long(1) + long(1) + text("") + long(4)),
        one("ten minutes ahead", "future_time", occurred_at_us=long(int(time.time() * 1e6) + 600 * 1000000)),
        one("year 2100", "future_time", occurred_at_us=long(YEAR_2100_US)),
        one("infinity", "future_time", occurred_at_us=long(2**63 - 1)),
        one("Altinn 2's minimum date", "ancient_time", occurred_at_us=long(-62135596800 * 1000000)),
        one("minus infinity", "ancient_time", occurred_at_us=long(-(2**63))),
        one("1999", "ancient_time", occurred_at_us=long(946684799 * 1000000)),
    ]


