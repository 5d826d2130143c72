-- Finds the top-level "model" of a JSON body without decoding the body.
--
-- The promise: on every body this agrees with Python's json.loads(bytes), which
-- is what the engine reads it with. The last duplicate wins, keys may be written
-- with escapes, NaN and Infinity pass, one UTF-8 byte order mark is skipped and
-- UTF-8 encoded surrogates pass. Two things are refused that json.loads may take:
-- UTF-16 and UTF-32 (RFC 8259 wants UTF-8), and nesting deeper than MAX_DEPTH
-- (where json.loads gives up depends on the Python version and its stack).
--
-- Nothing is copied, time is linear in n, memory is one kilobyte.
-- p[0 .. n-1] are the bytes; nothing is read before or behind them.

local bit = require "bit"
local ffi = require "ffi"
local grammar = require "trtllm.json_table"

local band, bnot, bor, bxor = bit.band, bit.bnot, bit.bor, bit.bxor
local lshift, rshift, tobit = bit.lshift, bit.rshift, bit.tobit
local cast, new, text = ffi.cast, ffi.new, ffi.string
local min = math.min

local MAX_DEPTH = 900
local MAX_INT_DIGITS = 4300 -- sys.int_info.default_max_str_digits of CPython
local MAX_KEY = 30 -- "model" with every letter as \uXXXX
local CHUNK = 61 -- bytes that the table is led by, between two looks at what is easier
local STRIDE = 4096 -- bytes between two looks at long integers; below MAX_INT_DIGITS

local SLICE = 1024 * 1024 -- bytes between two pauses

local STACK = ffi.typeof("uint16_t[$]", MAX_DEPTH + 1)
local stack = new(STACK)
local WORDS = ffi.typeof("const uint64_t *")
local QUADS = ffi.typeof("const uint32_t *")
local LITTLE = ffi.abi("le")

local HIGH = 0x8080808080808080ULL
local LOW = 0x7f7f7f7f7f7f7f7fULL
local CONTROLS = 0x6060606060606060ULL -- 0x20 plus this is 0x80
local QUOTES = 0x2222222222222222ULL
local ENS = 0x6e6e6e6e6e6e6e6eULL
local SLASHES = 0x5c5c5c5c5c5c5c5cULL
local COUNTER = 0x0001020304050607ULL -- byte k of a word times this leaves k on top

local step = grammar.step
local PLAIN, FIRST_ACTION = grammar.PLAIN, grammar.FIRST_ACTION
local OPEN_OBJECT, OPEN_LIST, CLOSE = grammar.OPEN_OBJECT, grammar.OPEN_LIST, grammar.CLOSE
local KEY_STARTS, KEY_ENDS = grammar.KEY_STARTS, grammar.KEY_ENDS
local TEXT_STARTS, TEXT_ENDS = grammar.TEXT_STARTS, grammar.TEXT_ENDS
local OBJECT_FIRST, LIST_FIRST, END = grammar.OBJECT_FIRST, grammar.LIST_FIRST, grammar.END
local TOP_FIRST, INT = grammar.TOP_FIRST, grammar.INT
local AFTER_TOP, AFTER_OBJECT = grammar.AFTER.top, grammar.AFTER.object
local AFTER_LIST = grammar.AFTER.list
local TOP_COLON = grammar.TOP_COLON
local TOP_KEY_TEXT, TOP_VALUE_TEXT = grammar.TOP_KEY_TEXT, grammar.TOP_VALUE_TEXT

local usual_escape = new("uint8_t[256]")
for letter in ('"\\/bfnrt'):gmatch(".") do
    usual_escape[letter:byte()] = 1
end
local hex = new("uint8_t[256]")
for letter in ("0123456789abcdefABCDEF"):gmatch(".") do
    hex[letter:byte()] = 1
end

local function utf8_of(code)
    local char = string.char
    if code < 0x80 then
        return char(code)
    elseif code < 0x800 then
        return char(0xc0 + rshift(code, 6), 0x80 + band(code, 63))
    elseif code < 0x10000 then
        return char(0xe0 + rshift(code, 12), 0x80 + band(rshift(code, 6), 63),
                    0x80 + band(code, 63))
    end
    return char(0xf0 + rshift(code, 18), 0x80 + band(rshift(code, 12), 63),
                0x80 + band(rshift(code, 6), 63), 0x80 + band(code, 63))
end

local UNESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- Returns what the string p[from .. to-1] says; find_model has accepted it.
-- A surrogate without its partner is kept, as Python keeps it.
local function unescape(p, from, to)
    local raw = text(p + from, to - from)
    if not raw:find("\\", 1, true) then
        return raw
    end
    local out, at = {}, 1
    while true do
        local slash = raw:find("\\", at, true)
        out[#out + 1] = raw:sub(at, (slash or 0) - 1)
        if not slash then
            return table.concat(out)
        end
        local letter = raw:sub(slash + 1, slash + 1)
        at = slash + 2
        if letter == "u" then
            local code = tonumber(raw:sub(at, at + 3), 16)
            at = at + 4
            local second = code >= 0xd800 and code <= 0xdbff
                and raw:match("^\\u([dD][c-fC-F]%x%x)", at)
            if second then
                code = 0x10000 + (code - 0xd800) * 0x400 + tonumber(second, 16) - 0xdc00
                at = at + 6
            end
            out[#out + 1] = utf8_of(code)
        else
            out[#out + 1] = UNESCAPED[letter] or letter
        end
    end
end

local function is_model(p, from, to)
    local length = to - from
    if length == 5 then
        return p[from] == 0x6d and text(p + from, 5) == "model"
    end
    return length > 5 and length <= MAX_KEY and unescape(p, from, to) == "model"
end

local function is_digit(c)
    return c >= 0x30 and c <= 0x39
end

-- p[i] is in the digits of a number. Returns whether Python would refuse it for
-- its length, and the index behind the digits.
local function judge_digits(p, i, n)
    local from, to = i, i
    while from > 0 and i - from <= MAX_INT_DIGITS and is_digit(p[from - 1]) do
        from = from - 1
    end
    while to < n and is_digit(p[to]) do
        to = to + 1
    end
    local is_float = to < n and (p[to] == 0x2e or p[to] == 0x65 or p[to] == 0x45)
    return to - from > MAX_INT_DIGITS and not is_float, to
end

-- Looks at eight bytes at once; bit 7 of each byte of the result is its answer.
-- Usual is ASCII that is no control character, no quote that is not escaped, and no
-- backslash but one that stands before a quote or an "n": so text that quotes, or is
-- JSON itself, is read as fast as any. The word must not begin behind a backslash.
-- Exact for the lowest unusual byte and for all below it; a carry may lie above.
local function unusual_bits(w)
    local quotes = HIGH - bxor(w, QUOTES)
    local escaped = lshift(band(HIGH - bxor(w, SLASHES), HIGH), 8)
    local not_n = bxor(w, ENS) + LOW
    return band(HIGH, bor(bor(w, bnot(w + CONTROLS)), band(bxor(quotes, escaped), not_n)))
end

-- The next three pass over what is inside a string: p[i] is, and is not escaped. They
-- return an index there that is the same or later. Each is one loop of one kind:
-- LuaJIT compiles that well, and loops within loops badly.

local function skip_ascii(p, i, last)
    while i <= last do
        -- No 64-bit value may live across iterations: it would be boxed.
        local found = unusual_bits(cast(WORDS, p + i)[0])
        if found == 0 then
            if p[i + 7] == 0x5c then
                i = i + 7 -- with what it escapes
            else
                i = i + 8
            end
        else
            local lone = rshift(band(found, -found), 7)
            local at = i + tobit(rshift(lone * COUNTER, 56))
            if at > i and p[at - 1] == 0x5c then
                at = at - 1 -- it is unusual for what stands before it
            end
            if at > last or p[at] ~= 0x5c or usual_escape[p[at + 1]] == 0 then
                return at
            end
            i = at + 2
        end
    end
    return i
end

-- Characters of three bytes: Japanese, Chinese, Korean.
local function skip_three_bytes(p, i, last)
    while i <= last and p[i] > 0xe0 and p[i] < 0xf0
        and band(cast(QUADS, p + i)[0], 0xc0c000) == 0x808000 do
        i = i + 3
    end
    return i
end

-- Characters written as \uXXXX.
local function skip_unicode_escapes(p, i, last)
    while i <= last and p[i] == 0x5c and p[i + 1] == 0x75
        and hex[p[i + 2]] + hex[p[i + 3]] + hex[p[i + 4]] + hex[p[i + 5]] == 4 do
        i = i + 6
    end
    return i
end

-- The object's opening brace is at p[i - 1]. See find_model for what returns.
local function scan_object(p, i, n, pause)
    -- depth -> the state behind a value there; while this one pauses, others scan
    local enclosing = pause and new(STACK) or stack
    local depth = 1
    local verdict, from, to = "missing", 0, 0
    local wanted = false -- is the value that comes next the model's?
    local key = 0
    local state = TOP_FIRST
    local next_look, next_pause = i + STRIDE, i + SLICE
    local last = n - 8
    enclosing[1] = AFTER_TOP

    while i < n do
        if state < PLAIN and LITTLE then
            local far = min(last, i + SLICE)
            i = skip_unicode_escapes(p, skip_three_bytes(p, skip_ascii(p, i, far), far), far)
            if i == n then
                return "invalid", n
            end
        end
        if i >= next_look then
            next_look = i + STRIDE
            if INT[state] then
                local refused, behind = judge_digits(p, i, n)
                if refused or behind == n then
                    return "invalid", i
                end
                i = behind
            end
            if pause and i >= next_pause then
                next_pause = i + SLICE
                pause()
            end
        end
        local stop = i + CHUNK
        if stop > n then
            stop = n
        end
        repeat
            state = step[state + p[i]]
            i = i + 1
        until state >= FIRST_ACTION or i >= stop
        if state >= FIRST_ACTION then
            if state == OPEN_OBJECT or state == OPEN_LIST then
                if depth == MAX_DEPTH then
                    return "too_deep", i - 1
                end
                depth = depth + 1
                local is_object = state == OPEN_OBJECT
                enclosing[depth] = is_object and AFTER_OBJECT or AFTER_LIST
                state = is_object and OBJECT_FIRST or LIST_FIRST
            elseif state == CLOSE then
                depth = depth - 1
                state = depth == 0 and END or enclosing[depth]
            elseif state == KEY_STARTS then
                key = i
                state = TOP_KEY_TEXT
            elseif state == KEY_ENDS then
                wanted = is_model(p, key, i - 1)
                if wanted then
                    verdict = "other" -- until it turns out to be a string
                end
                state = TOP_COLON
            elseif state == TEXT_STARTS then
                if wanted then
                    from = i
                end
                state = TOP_VALUE_TEXT
            elseif state == TEXT_ENDS then
                if wanted then
                    verdict, to = "string", i - 1
                end
                state = AFTER_TOP
            else
                return "invalid", i - 1
            end
        end
    end
    if state ~= END then
        return "invalid", n
    end
    return verdict, from, to
end

-- Returns one of
--   "string", from, to   the model is the string p[from .. to-1], escapes still in it
--   "other"              there is a model and it is not a string
--   "missing"            a JSON object without a model
--   "not_object"         something else than an object (what, is not looked at)
--   "invalid", at        not JSON; what is wrong was seen at byte `at`
--   "too_deep", at
-- pause, if given, is called about once per megabyte, so that other requests get
-- their turn (a megabyte takes 0.2 to 2.5 ms).
local function find_model(p, n, pause)
    local i = 0
    if n >= 3 and p[0] == 0xef and p[1] == 0xbb and p[2] == 0xbf then
        i = 3
    end
    while i < n and (p[i] == 0x20 or p[i] == 0x0a or p[i] == 0x0d or p[i] == 0x09) do
        i = i + 1
    end
    if i >= n then
        return "invalid", i
    elseif p[i] ~= 0x7b then
        return "not_object"
    end
    return scan_object(p, i + 1, n, pause)
end

-- LuaJIT compiles what it meets first and hangs the rest onto that. Meeting the
-- simple loops first makes plain text seven times faster than the other order,
-- for as long as the worker lives. Takes about 5 ms; call it before the first body.
local function warm_up()
    local bodies = {
        '{"a":"' .. ("plain text "):rep(400) .. '"}',
        '{"a":"' .. ("\227\129\130"):rep(1400) .. '"}',
        '{"a":[' .. ("12,"):rep(1400) .. '1]}',
        '{"a":"' .. ('plain text\\"some \\n'):rep(400) .. '"}',
        '{"a":[' .. ('{"role":"user","content":"how are you"},'):rep(400) .. '1]}',
        '{"a":"' .. ("\227\129\130 abc"):rep(1400) .. '"}',
    }
    for _ = 1, 4 do
        for _, body in ipairs(bodies) do
            find_model(cast("const uint8_t *", body), #body)
        end
    end
end

return {
    find_model = find_model, unescape = unescape, warm_up = warm_up, MAX_DEPTH = MAX_DEPTH,
}
