-- Who may ask. The keys' SHA-256 are in a file of lines "NAME HEX"; the keys themselves
-- are 256 random bits, so nothing slower than SHA-256 is needed to keep them.
--
-- Without the file nobody is asked for a key. With an empty file nobody comes in.
-- The file is read when a configuration is loaded: a reload takes keys in and out.

local ffi = require "ffi"
local bit = require "bit"
local reply = require "trtllm.reply"
local routes = require "routes"

ffi.cdef [[ unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *out); ]]

local bor, bxor = bit.bor, bit.bxor
local dict = ngx.shared.trtllm
local ENOENT = 2
local MAX_KEY = 512
local WORDS = ffi.typeof("uint64_t[4]")
-- The host's own key: for who may open the admin socket, as long as the proxy runs.
local LOCAL, LOCAL_PREFIX = "local", "trtllm-local-"

local presented = WORDS()

local function hash_into(words, text)
    ffi.C.SHA256(text, #text, ffi.cast("unsigned char *", words))
end

-- Returns the 32 bytes of the SHA-256 of a text.
local function hash_of(text)
    hash_into(presented, text)
    return ffi.string(presented, 32)
end

local function words_of(hex)
    local words = WORDS()
    ffi.copy(words, (hex:gsub("%x%x", function(pair)
        return string.char(tonumber(pair, 16))
    end)), 32)
    return words
end

-- Returns a list of { name, words }, nil where there is no file. Raises an error for
-- a file that cannot be used: nginx then does not start, and a reload changes nothing.
local function load_keys(path)
    local file, problem, code = io.open(path, "r")
    if not file then
        assert(code == ENOENT, "cannot read the keys: " .. tostring(problem))
        return nil
    end
    local found = {}
    for line in file:lines() do
        if line ~= "" and line:sub(1, 1) ~= "#" then
            local name, hex = line:match("^([%w._-]+) (%x+)$")
            assert(name and #hex == 64, "cannot read the keys: not NAME HEX in " .. path)
            found[#found + 1] = { name = name, words = words_of(hex) }
        end
    end
    file:close()
    return found
end

-- Twelve digits that stand for keys in force, each a name and the 32 bytes of a hash: a
-- reload that took them is proved by it. Empty where there is no file.
local function mark_of(lines)
    return lines and (hash_of(table.concat(lines, "\n")):sub(1, 6):gsub(".", function(char)
        return ("%02x"):format(char:byte())
    end)) or ""
end

local function lines_of(keys)
    local lines = {}
    for i, key in ipairs(keys) do
        lines[i] = key.name .. ffi.string(key.words, 32)
    end
    return lines
end

local keys = load_keys(routes.keys_file)
local mark = mark_of(keys and lines_of(keys))

-- Looks at every key, whether or not one has fitted: the time says nothing about them.
local function name_of(text)
    hash_into(presented, text)
    local name
    for i = 1, #keys do
        local words, differing = keys[i].words, 0ULL
        for k = 0, 3 do
            differing = bor(differing, bxor(words[k], presented[k]))
        end
        name = differing == 0 and keys[i].name or name
    end
    return name
end

local function find(header)
    local text = header and #header <= MAX_KEY and header:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$")
    if not text then
        return nil
    elseif text:sub(1, #LOCAL_PREFIX) == LOCAL_PREFIX then
        hash_into(presented, text)
        return dict:get("local-key") == ffi.string(presented, 32) and LOCAL or nil
    end
    return name_of(text)
end

-- Returns whether the request may be answered in full: no keys are asked for, or it
-- brings one. $trtllm_key is then the key's name.
local function knows()
    if not keys then
        return true
    end
    local name = find(ngx.var.http_authorization)
    if name then
        ngx.var.trtllm_key = name
    end
    return name ~= nil
end

-- access phase of whatever is not open to all: returns true, or answers with 401.
local function demand()
    if knows() then
        return true
    end
    local given = ngx.var.http_authorization
    reply.send_error {
        status = 401, code = "invalid_api_key", challenge = 'Bearer realm="trtllm"',
        message = given and "this API key is not known here"
            or "an API key is needed: Authorization: Bearer KEY",
    }
    return false
end

-- Returns a key for this host's own use, nil where none is needed.
local function make_local()
    if not keys then
        return nil
    end
    local file = assert(io.open("/dev/urandom", "rb"))
    local text = LOCAL_PREFIX .. ngx.encode_base64(file:read(32)):gsub("%W", "")
    file:close()
    hash_into(presented, text)
    dict:set("local-key", ffi.string(presented, 32))
    return text
end

return {
    are_asked = keys ~= nil, knows = knows, demand = demand, make_local = make_local, mark = mark,
    hash_of = hash_of, mark_of = mark_of,
}
