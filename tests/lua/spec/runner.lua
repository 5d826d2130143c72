-- Runs inside nginx for tests/lua: scans given bytes, runs the specs.

local cjson = require "cjson"
local ffi = require "ffi"
local scan = require "trtllm.json_scan"

ffi.cdef [[
void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
int munmap(void *address, size_t length);
int mprotect(void *address, size_t length, int protection);
]]

local PAGE = 65536 -- a multiple of every page size in use

-- Puts the text directly in front of a page that may not be touched, scans it there
-- and returns what the scanner says. Reading one byte too far ends the process.
local function scan_at_the_edge(text)
    local pages = math.ceil((#text + 1) / PAGE)
    local size = (pages + 1) * PAGE
    local map = ffi.C.mmap(nil, size, 3, 0x22, -1, 0) -- read and write, private, anonymous
    assert(map ~= ffi.cast("void *", -1))
    local bytes = ffi.cast("uint8_t *", map)
    ffi.C.mprotect(bytes + pages * PAGE, PAGE, 0)
    local start = bytes + pages * PAGE - #text
    ffi.copy(start, text, #text)
    local p = ffi.cast("const uint8_t *", start)
    local verdict, from, to = scan.find_model(p, #text, #text > PAGE and function() end or nil)
    local model = verdict == "string" and scan.unescape(p, from, to) or ""
    ffi.C.munmap(map, size)
    return verdict, model
end

local function scan_frames()
    ngx.req.read_body()
    local frames = ngx.req.get_body_data() or ""
    local at, out = 1, {}
    while at <= #frames do
        local a, b, c, d = frames:byte(at, at + 3)
        local length = a + b * 256 + c * 65536 + d * 16777216
        local verdict, model = scan_at_the_edge(frames:sub(at + 4, at + 3 + length))
        out[#out + 1] = verdict .. " " .. ngx.encode_base64(model)
        at = at + 4 + length
    end
    ngx.print(table.concat(out, "\n"))
end

local function run()
    ngx.req.read_body()
    local wanted = cjson.decode(ngx.req.get_body_data())
    local spec = require("spec." .. wanted.spec)
    local ok, problem = xpcall(spec[wanted.name], debug.traceback)
    ngx.print(ok and "ok" or problem)
end

return { scan = scan_frames, run = run }
