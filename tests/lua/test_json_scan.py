"""The scanner against Python's json.loads, which is what the engine reads bodies with."""

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lua import lua_runner, strange_bodies
from lua.strange_bodies import agree, verdict_of_python

DEEPEST = 900


@pytest.fixture(scope="module", name="runner")
def start_runner() -> Iterator[lua_runner.Runner]:
    with lua_runner.running() as runner:
        yield runner


CASES = [
    b'{"model":"qwen"}',
    b' \t\r\n{ "model" : "qwen" } \n',
    b'\xef\xbb\xbf{"model":"qwen"}',
    b'\xef\xbb\xbf\xef\xbb\xbf{"model":"qwen"}',
    b'\xef\xbb{"model":"qwen"}',
    '{"model":"qwen"}'.encode("utf-16"),
    '{"model":"qwen"}'.encode("utf-16-le"),
    '{"model":"qwen"}'.encode("utf-32-be"),
    b'{"model":"a","model":"b"}',
    b'{"model":"a","model":5}',
    b'{"model":5,"model":"b"}',
    b'{"model":{"model":"inner"}}',
    b'{"model":["qwen"]}',
    b'{"model":null,"x":"qwen"}',
    b'{"x":{"model":"inner"},"y":["model",{"model":"inner"}]}',
    b'{"x":"\\"model\\":\\"fake\\"","model":"real"}',
    b'{"mod\\u0065l":"escaped key"}',
    b'{"\\u006d\\u006f\\u0064\\u0065\\u006c":"all escaped"}',
    b'{"\\u006D\\u006F\\u0064\\u0065\\u006C":"upper case"}',
    b'{"mode\\l":"not an escape"}',
    b'{"mode":"short","models":"long","Model":"case"}',
    b'{"model\\u0000":"other key"}',
    b'{"\\\\model":"other key"}',
    b'{"model":"q\\u0077en"}',
    b'{"model":"\\ud83d\\ude00"}',
    b'{"model":"\\ud83d"}',
    b'{"model":"\\ude00\\ud83d"}',
    b'{"model":"\\ud83d\\u0041"}',
    b'{"model":"\\\\ud83d\\ude00"}',
    b'{"model":"\\\\\\ud83d\\ude00"}',
    b'{"model":"\xed\xa0\xbd\xed\xb8\x80"}',
    b'{"model":"\\ud83d\xed\xb8\x80"}',
    b'{"model":"\\b\\f\\n\\r\\t\\/\\"\\\\"}',
    b'{"model":"\xe5\x90\xbe\xe8\xbc\xa9"}',
    b'{"model":"\xc0\x80"}',
    b'{"model":"\xe0\x80\x80"}',
    b'{"model":"\xf0\x80\x80\x80"}',
    b'{"model":"\xf4\x90\x80\x80"}',
    b'{"model":"\xf5\x80\x80\x80"}',
    b'{"model":"\x80"}',
    b'{"model":"\xe5\x90"}',
    b'{"model":"\xc3"}',
    b'{"model":"a\x00b"}',
    b'{"model":"a\x1fb"}',
    b'{"model":"a\x7fb"}',
    b'{"model":"\\x"}',
    b'{"model":"\\u12"}',
    b'{"model":"\\u12g4"}',
    b'{"model":"\\u+123"}',
    b'{"model":"a',
    b'{"model":"a\\',
    b'{"model":"a\\"',
    b'{"model":"a"',
    b'{"model":',
    b'{"model"',
    b'{"model":"a"}}',
    b'{"model":"a"} x',
    b'{"model":"a"}\x00',
    b'{"model":"a",}',
    b'{,"model":"a"}',
    b'{"model":"a" "b":1}',
    b'{"model" "a"}',
    b"{'model':'a'}",
    b'{model:"a"}',
    b'{"model":"a"/**/}',
    b'{"model":"a","x":[1,]}',
    b'{"model":"a","x":[,1]}',
    b'{"model":"a","x":[1 2]}',
    b'{"model":"a","x":[}',
    b'{"model":"a","x":{]}',
    b'{"model":"a","x":[]}',
    b'{"model":"a","x":[ ]}',
    b'{"model":"a","x":{ }}',
    b"",
    b" ",
    b"{",
    b"{}",
    b"{ }",
    b"[]",
    b"123",
    b"null",
    b'"model"',
    b'[{"model":"a"}]',
    b'{"model":"a","x":NaN,"y":Infinity,"z":-Infinity}',
    b'{"model":"a","x":-NaN}',
    b'{"model":"a","x":nan}',
    b'{"model":"a","x":Infinit}',
    b'{"model":"a","x":tru}',
    b'{"model":"a","x":truefalse}',
    b'{"model":"a","x":nulll}',
    b'{"model":NaN}',
    b'{"model":-Infinity}',
    b'{"model":"a","x":1' + b"0" * 4299 + b"}",
    b'{"model":"a","x":1' + b"0" * 4300 + b"}",
    b'{"model":"a","x":-1' + b"0" * 4300 + b"}",
    b'{"model":"a","x":1' + b"0" * 9000 + b".5}",
    b'{"model":"a","x":1' + b"0" * 9000 + b"e5}",
    b'{"model":"a","x":0.' + b"3" * 9000 + b"}",
    b'{"model":"a","x":[' + b"7" * 4000 + b"," + b"7" * 4301 + b"]}",
    b'{"x":"' + b"p" * 5000 + b'","y":[' + b"7" * 4301 + b'],"model":"a"}',
    *(b'{"model":"a","x":%s}' % number for number in (
        b"0", b"-0", b"00", b"01", b"-01", b"-", b"+1", b"1.", b".5", b"1.5", b"1.e5", b"1e",
        b"1e+", b"1e5", b"1E-5", b"0e0", b"0.0e-0", b"1ee5", b"0x10", b"1_000", b"--1", b"1-1",
        b"1.5.5", b"1e999",
    )),
]  # fmt: skip


@pytest.mark.parametrize("body", CASES, ids=lambda body: repr(body[:40]))
def test_scanner_agrees_with_json_loads(runner: lua_runner.Runner, body: bytes) -> None:
    found = runner.scan([body])[0]
    assert agree(body, found), (found, verdict_of_python(body))


INSIDES = [
    *(
        b"\\u0041",
        b"\\ud83d\\ude00",
        b'\\"',
        b"\\\\",
        b"\\x",
        b"\\u12g4",
        b"\x00",
        b"\x1f",
        b"\x7f",
    ),
    *(b"\xe5\x90\xbe", b"\xe5\x90", b"\xe0\x80\x80", b"\xe0\xa0\x80", b"\xed\xa0\xbd", b"\xc3\xa9"),
    *(
        b"\xc0\x80",
        b"\xf0\x9f\x98\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\x80",
        b'"',
    ),
]


@pytest.mark.parametrize("inside", INSIDES, ids=repr)
def test_position_of_a_byte_in_its_word_makes_no_difference(
    runner: lua_runner.Runner, inside: bytes
) -> None:
    bodies = [
        b'{"x":"' + b"y" * before + inside + b"z" * behind + b'","model":"qwen"}'
        for before in range(17)
        for behind in (0, 1, 5, 20)
    ]
    for body, found in zip(bodies, runner.scan(bodies), strict=True):
        assert agree(body, found), (body, found)


@pytest.mark.parametrize("inside", INSIDES, ids=repr)
def test_nothing_is_read_behind_a_body_that_ends_anywhere(
    runner: lua_runner.Runner, inside: bytes
) -> None:
    whole = b'{"x":"' + b"y" * 19 + inside + b"z" * 19 + b'","model":"qwen"}'
    bodies = [whole[:end] for end in range(len(whole))]
    for body, found in zip(bodies, runner.scan(bodies), strict=True):
        assert agree(body, found), (body, found)


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1, 100_000])
def test_nesting_is_bounded(runner: lua_runner.Runner, depth: int) -> None:
    inner = depth - 1  # the object itself is a level
    lists = b'{"model":"a","x":' + b"[" * inner + b"]" * inner + b"}"
    objects = b'{"model":"a","x":' + b'{"x":' * inner + b"1" + b"}" * inner + b"}"
    expected = ("string", b"a") if depth == DEEPEST else ("too_deep", None)
    assert runner.scan([lists, objects]) == [expected, expected]


TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7fé吾😀modelqwen'),
    ),
    max_size=30,
)


@st.composite
def written_text(draw: st.DrawFn, text: st.SearchStrategy[str] = TEXT) -> bytes:
    """Write a string as JSON, each character plainly or as one of its escapes."""
    out = b'"'
    for char in draw(text):
        code = ord(char)
        units = char.encode("utf-16-be", "surrogatepass")
        escaped = b"".join(
            b"\\u" + units[i : i + 2].hex().encode() for i in range(0, len(units), 2)
        )
        if code < 0x20 or char in '"\\' or draw(st.integers(0, 7)) == 0:
            short = {"\n": b"\\n", '"': b'\\"', "\\": b"\\\\", "/": b"\\/"}.get(char)
            out += short if short and draw(st.booleans()) else escaped
        else:
            out += char.encode("utf-8", "surrogatepass")
    return out + b'"'


SPACE = st.sampled_from([b"", b"", b"", b" ", b"\n", b" \t\r\n "])
SCALARS = st.one_of(
    written_text(),
    st.integers().map(lambda number: str(number).encode()),
    st.floats().map(lambda number: json.dumps(number).encode()),
    st.sampled_from([b"true", b"false", b"null", b"NaN", b"-Infinity", b"1E+2", b"0.5e-3"]),
)
KEYS = st.one_of(written_text(), written_text(st.just("model")), st.just(b'"model"'))


@st.composite
def written_list(draw: st.DrawFn, values: st.SearchStrategy[bytes]) -> bytes:
    items = draw(st.lists(values, max_size=4))
    return b"[" + draw(SPACE) + (draw(SPACE) + b"," + draw(SPACE)).join(items) + draw(SPACE) + b"]"


@st.composite
def written_object(draw: st.DrawFn, values: st.SearchStrategy[bytes]) -> bytes:
    pairs = draw(st.lists(st.tuples(KEYS, values), max_size=5))
    fields = [k + draw(SPACE) + b":" + draw(SPACE) + v for k, v in pairs]
    return b"{" + draw(SPACE) + (draw(SPACE) + b"," + draw(SPACE)).join(fields) + draw(SPACE) + b"}"


VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(written_list(inner), written_object(inner)), max_leaves=12
)


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Change a few bytes of a body: replaced, dropped, doubled, inserted."""
    body = bytearray(draw(bodies))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        byte = draw(st.sampled_from(b'"\\{}[]:,0e.-+ \n\x00\x1f\x80\xbf\xc2\xe3\xed\xf0\xffumodel'))
        kind = draw(st.sampled_from(["replace", "drop", "insert", "cut"]))
        if kind == "insert":
            body.insert(at, byte)
        elif kind == "cut" and draw(st.integers(0, 4)) == 0:
            del body[at:]
        elif at < len(body) and kind == "replace":
            body[at] = byte
        elif at < len(body) and kind == "drop":
            del body[at]
    return bytes(body)


OBJECTS = written_object(VALUES)
FUZZ = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(body=st.one_of(OBJECTS, VALUES))
def test_every_json_text_is_read_as_json_loads_reads_it(
    runner: lua_runner.Runner, body: bytes
) -> None:
    found = runner.scan([body])[0]
    assert agree(body, found), (body, found, verdict_of_python(body))


@FUZZ
@given(body=damaged(OBJECTS))
def test_damaged_json_is_judged_as_json_loads_judges_it(
    runner: lua_runner.Runner, body: bytes
) -> None:
    found = runner.scan([body])[0]
    assert agree(body, found), (body, found, verdict_of_python(body))


@FUZZ
@given(body=st.lists(st.sampled_from([
    b"{", b"}", b"[", b"]", b":", b",", b'"', b'"model"', b'"a"', b"1", b"0", b"-", b".", b"e",
    b"\\", b"u0041", b" ", b"true", b"NaN", b"Infinity", b"\xe3\x81\x82", b"\xed\xa0\x80", b"\xff",
]), max_size=12).map(lambda parts: b'{"model":"q"' + b"".join(parts)))  # fmt: skip
def test_token_soup_is_judged_as_json_loads_judges_it(
    runner: lua_runner.Runner, body: bytes
) -> None:
    found = runner.scan([body])[0]
    assert agree(body, found), (body, found, verdict_of_python(body))


def test_long_bodies_of_every_kind_of_text_are_read_right(runner: lua_runner.Runner) -> None:
    chance = random.Random(20261122)
    pieces = ["plain words, ", '\\"', "\\n", "\\u3042", "\\ud83d\\ude00", "x"]
    pieces += ["吾輩は猫である", "é", "😀"]
    bodies = []
    for _ in range(40):
        text = "".join(chance.choices(pieces, k=chance.randrange(2000, 20000)))
        body = bytearray(f'{{"messages":[{{"content":"{text}"}}],"model":"qwen"}}'.encode())
        if chance.random() < 0.5:
            body[chance.randrange(len(body))] = chance.randrange(256)
        bodies.append(bytes(body))
    for body, found in zip(bodies, runner.scan(bodies), strict=True):
        assert agree(body, found), found


def test_many_random_and_mutated_bodies_are_read_as_json_loads_reads_them(
    runner: lua_runner.Runner,
) -> None:
    """A sample of what benchmarks/scanner.py tries a million of."""
    bodies = list(strange_bodies.bodies(seed=20261128, count=6000))
    for body, found in zip(bodies, runner.scan(bodies), strict=True):
        assert agree(body, found), (body, found, verdict_of_python(body))
