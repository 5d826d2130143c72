-- Reads the model out of a request's body without making a Lua string of the body.
--
-- A body in memory is read where nginx holds it. A body that nginx put into a file
-- (larger than client_body_buffer_size) is mapped: the pages were written a moment
-- ago, so nothing waits for the disk, and memory stays the page cache's.
-- Copying 10 MB into a Lua string would cost 8 ms and 10 MB of heap.

local ffi = require "ffi"
local base = require "resty.core.base"
local routes = require "routes"
local scan = require "trtllm.json_scan"

require "resty.core.var" -- declares ngx_http_lua_ffi_var_get

local C = ffi.C
local get_request = base.get_request

ffi.cdef [[
int open(const char *path, int flags, ...);
int close(int fd);
long lseek(int fd, long offset, int whence);
void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
int munmap(void *address, size_t length);
int mallopt(int parameter, int value);
int clock_gettime(int clock, long *seconds_and_nanoseconds);
]]

local O_RDONLY_CLOEXEC = 0x80000 -- O_RDONLY is 0; the same on x86-64 and arm64
local SEEK_END, PROT_READ, MAP_PRIVATE = 2, 1, 2
local MAP_FAILED = ffi.cast("void *", -1)
local CLOCK_REALTIME = 0
local M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

local BYTES = ffi.typeof("const uint8_t *")
local NAME = "request_body"
local lowercase = ffi.new("char[?]", #NAME)
local value = ffi.new("unsigned char *[1]")
local length = ffi.new("size_t[1]")
local message = ffi.new("char *[1]")
local clock = ffi.new("long[2]") -- a struct timespec

-- What cannot be a model id is not copied.
local MAX_MODEL = 4096

-- Returns pointer and length of the body in memory, nil if it is not there.
local function in_memory()
    local rc = C.ngx_http_lua_ffi_var_get(get_request(), NAME, #NAME, lowercase, 0,
                                          value, length, message)
    if rc == 0 then
        return ffi.cast(BYTES, value[0]), tonumber(length[0])
    end
    return nil
end

-- resty.core is written for exactly one ngx_lua. Should a newer pair change the
-- call, LuaJIT refuses the arguments, and the public, copying way is taken.
local function in_memory_copied()
    local text = ngx.req.get_body_data()
    if text then
        return ffi.cast(BYTES, text), #text, text
    end
    return nil
end

-- Other requests of this worker get their turn while a large body is scanned.
local LARGE = 2 * 1024 * 1024
local TURN_S = 0.004
-- OpenResty's nginx goes once around its sockets for a sleep of 0. Others run every timer
-- that is due before they look at a socket, also one that was set for now just then.
local SLEEP_S = routes.binary == "openresty" and 0 or 0.001

-- The scanner calls this after each megabyte. nginx reads its clock when it comes from its
-- sockets, so what has passed since is what the others have waited, whoever took the time.
local function give_way()
    C.clock_gettime(CLOCK_REALTIME, clock)
    if tonumber(clock[0]) + tonumber(clock[1]) / 1e9 - ngx.now() > TURN_S then
        ngx.sleep(SLEEP_S)
    end
end

local function scan_bytes(p, n)
    local verdict, from, to = scan.find_model(p, n, n > LARGE and give_way or nil)
    if verdict ~= "string" then
        return verdict
    elseif to - from > MAX_MODEL then
        return "too_long", ffi.string(p + from, MAX_MODEL)
    end
    return "string", scan.unescape(p, from, to)
end

local function scan_file(path)
    local fd = C.open(path, O_RDONLY_CLOEXEC)
    if fd < 0 then
        return "unreadable"
    end
    local n = tonumber(C.lseek(fd, 0, SEEK_END))
    local map = n > 0 and C.mmap(nil, n, PROT_READ, MAP_PRIVATE, fd, 0) or MAP_FAILED
    C.close(fd)
    if map == MAP_FAILED then
        return "unreadable"
    end
    -- The collector unmaps it should the request end in the middle of a pause.
    local held = ffi.gc(map, function(address) C.munmap(address, n) end)
    local verdict, model = scan_bytes(ffi.cast(BYTES, held), n)
    C.munmap(ffi.gc(held, nil), n)
    return verdict, model
end

local find_body = in_memory

-- Waits for the whole body. Returns a verdict and, with "string", the model.
-- Verdicts: those of json_scan.find_model, "too_long" with the start of a model
-- that no id can be, "empty", and "unreadable" when the file that nginx wrote
-- cannot be opened.
local function read_model()
    ngx.req.read_body()
    local ok, p, n, keep = pcall(find_body)
    if not ok then
        ngx.log(ngx.ERR, "bodies are copied from now on: ", p)
        find_body = in_memory_copied
        p, n, keep = find_body()
    end
    if p then
        if n == 0 then
            return "empty"
        end
        local verdict, model = scan_bytes(p, n)
        return verdict, model, keep -- keep: the string lives until it is scanned
    end
    local path = ngx.req.get_body_file()
    if not path then
        return "empty"
    end
    return scan_file(path)
end

-- Lets glibc keep the memory of bodies for the next one, up to 16 MB a worker,
-- instead of giving it back and meeting every page of it anew.
local function keep_memory()
    if pcall(function() return C.mallopt end) then
        C.mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024)
        C.mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024)
    end
end

return { read_model = read_model, keep_memory = keep_memory }
