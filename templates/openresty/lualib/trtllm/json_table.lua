-- The grammar of JSON, as Python's json.loads reads it, as one table of
-- transitions: next = step[state + byte]. A state is a multiple of 256.
--
-- Why a table: LuaJIT compiles one flat loop well and nested short loops badly
-- (a scanner made of skip_space, number_end and string_end ran at 63 ms per MB
-- of token ids; this one is forty times faster).
--
-- The states exist three times, for what encloses the value: "top" is the
-- outermost object, where keys are looked at, "object" and "list" are the rest.
-- Entries from FIRST_ACTION on are no states: the scanner has to do something.

local ffi = require "ffi"

local MAX_STATES = 240

local M = {
    FIRST_ACTION = MAX_STATES * 256,
    INVALID = MAX_STATES * 256,
    OPEN_OBJECT = (MAX_STATES + 1) * 256,
    OPEN_LIST = (MAX_STATES + 2) * 256,
    CLOSE = (MAX_STATES + 3) * 256,
    KEY_STARTS = (MAX_STATES + 4) * 256, -- these four at the top only
    KEY_ENDS = (MAX_STATES + 5) * 256,
    TEXT_STARTS = (MAX_STATES + 6) * 256,
    TEXT_ENDS = (MAX_STATES + 7) * 256,
}

local step = ffi.new("uint16_t[?]", MAX_STATES * 256)
for entry = 0, MAX_STATES * 256 - 1 do
    step[entry] = M.INVALID
end

local known, count = {}, 0

local function state(name)
    if not known[name] then
        assert(count < MAX_STATES, "too many states")
        known[name] = count * 256
        count = count + 1
    end
    return known[name]
end

local function range(from, first, last, to)
    for byte = first, last do
        step[from + byte] = to
    end
end

local function on(from, bytes, to)
    for byte in bytes:gmatch(".") do
        step[from + byte:byte()] = to
    end
end

local SPACE = " \t\n\r"
local HEX = "0123456789abcdefABCDEF"

-- The plain insides of values come first: state < PLAIN asks for them. Keys are short,
-- and read byte by byte.
for _, where in ipairs { "top", "object", "list" } do
    state(where .. ".value.text")
end
M.PLAIN = count * 256

local function add_text(where, ended)
    local plain = state(where .. ".text")
    range(plain, 0x20, 0x7f, plain) -- 0x7f is no control character to JSON
    on(plain, '"', ended)

    local escape = state(where .. ".escape")
    on(plain, "\\", escape)
    on(escape, '"\\/bfnrt', plain)
    local digit = plain
    for left = 1, 4 do
        local before = state(where .. ".hex" .. left)
        on(before, HEX, digit)
        digit = before
    end
    on(escape, "u", digit)

    -- UTF-8 as RFC 3629 has it, except that surrogates (ED A0..BF) pass:
    -- json.loads decodes with errors="surrogatepass".
    local one, two = state(where .. ".one_more"), state(where .. ".two_more")
    range(one, 0x80, 0xbf, plain)
    range(two, 0x80, 0xbf, one)
    local function lead(first, last, name, second_first, second_last, next_state)
        local second = state(where .. name)
        range(plain, first, last, second)
        range(second, second_first, second_last, next_state)
    end
    range(plain, 0xc2, 0xdf, one)
    lead(0xe0, 0xe0, ".e0", 0xa0, 0xbf, one)
    range(plain, 0xe1, 0xef, two)
    lead(0xf0, 0xf0, ".f0", 0x90, 0xbf, two)
    lead(0xf1, 0xf3, ".f1", 0x80, 0xbf, two)
    lead(0xf4, 0xf4, ".f4", 0x80, 0x8f, two)
end

-- A word ends in `after`; its first letter is left to the caller.
local function add_word(where, word, after)
    local to = after
    for letter = #word, 2, -1 do
        local before = state(where .. word .. letter)
        on(before, word:sub(letter, letter), to)
        to = before
    end
    return to
end

-- What may follow a finished value, from the state `from`.
local function add_behind(where, from, after)
    on(from, SPACE, after)
    if where == "list" then
        on(from, ",", state("list.value"))
        on(from, "]", M.CLOSE)
    else
        on(from, ",", state(where .. ".key"))
        on(from, "}", M.CLOSE)
    end
end

local function add_number(where, value, after)
    local function part(name, ends)
        local made = state(where .. name)
        if ends then
            add_behind(where, made, after)
        end
        return made
    end
    local minus, zero, int = part(".minus"), part(".zero", true), part(".int", true)
    local dot, fraction = part(".dot"), part(".fraction", true)
    local e, sign, exponent = part(".e"), part(".sign"), part(".exponent", true)
    on(value, "-", minus)
    for _, from in ipairs { value, minus } do
        on(from, "0", zero)
        on(from, "123456789", int)
    end
    on(minus, "I", add_word(where, "Infinity", after))
    on(int, "0123456789", int)
    for _, from in ipairs { zero, int } do
        on(from, ".", dot)
    end
    for _, from in ipairs { dot, fraction } do
        on(from, "0123456789", fraction)
    end
    for _, from in ipairs { zero, int, fraction } do
        on(from, "eE", e)
    end
    on(e, "+-", sign)
    for _, from in ipairs { e, sign, exponent } do
        on(from, "0123456789", exponent)
    end
    M.INT[int] = true
end

local function add_value(where, value, after)
    on(value, SPACE, value)
    on(value, "{", M.OPEN_OBJECT)
    on(value, "[", M.OPEN_LIST)
    on(value, '"', where == "top" and M.TEXT_STARTS or state(where .. ".value.text"))
    for _, word in ipairs { "true", "false", "null", "NaN", "Infinity" } do
        on(value, word:sub(1, 1), add_word(where, word, after))
    end
    add_number(where, value, after)
end

M.INT = {} -- the states inside the digits of what may still be an integer
M.AFTER = {} -- enclosing -> the state behind a value in it
for _, where in ipairs { "top", "object", "list" } do
    local value, after = state(where .. ".value"), state(where .. ".after")
    add_text(where .. ".value", where == "top" and M.TEXT_ENDS or after)
    add_value(where, value, after)
    add_behind(where, after, after)
    M.AFTER[where] = after
end

for _, where in ipairs { "top", "object" } do
    local first, key = state(where .. ".first"), state(where .. ".key")
    local colon = state(where .. ".colon")
    add_text(where .. ".key", where == "top" and M.KEY_ENDS or colon)
    for _, from in ipairs { first, key } do
        on(from, SPACE, from)
        on(from, '"', where == "top" and M.KEY_STARTS or state(where .. ".key.text"))
    end
    on(first, "}", M.CLOSE)
    on(colon, SPACE, colon)
    on(colon, ":", state(where .. ".value"))
end

-- A list that has just been opened is a list's value that may also end.
local first = state("list.first")
for byte = 0, 255 do
    step[first + byte] = step[state("list.value") + byte]
end
on(first, SPACE, first)
on(first, "]", M.CLOSE)

M.END = state("end")
on(M.END, SPACE, M.END)

M.TOP_FIRST = state("top.first")
M.TOP_COLON = state("top.colon")
M.TOP_KEY_TEXT = state("top.key.text")
M.TOP_VALUE_TEXT = state("top.value.text")
M.OBJECT_FIRST = state("object.first")
M.LIST_FIRST = state("list.first")
M.step = step

return M
