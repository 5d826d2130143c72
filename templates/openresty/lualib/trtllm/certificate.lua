-- Sees that the certificate or its key has been replaced, and has nginx reload: a renewal
-- needs no hook, and is the same under every supervisor. A pair that does not fit makes
-- nginx refuse and keep what it has; it is tried again when one of the files changes.

local ffi = require "ffi"
local keys = require "trtllm.keys"
local routes = require "routes"

ffi.cdef [[
int getppid(void);
int kill(int pid, int signal);
]]

local SIGHUP = 1
local EVERY_S = 2
local MOST = 1024 * 1024

-- Returns twelve digits that stand for the two files; "" while one cannot be read.
local function look()
    local seen = {}
    for i, path in ipairs(routes.tls_files) do
        local file = io.open(path, "rb")
        local text = file and file:read(MOST)
        if file then
            file:close()
        end
        if not text then
            return ""
        end
        seen[i] = keys.hash_of(text)
    end
    return seen[1] and keys.mark_of(seen) or ""
end

local mark = look() -- loaded in the master, which has just read the files itself
local known = mark
local looked_at = 0

-- Called by the worker that watches, a few times a second.
local function notice(now)
    if not routes.tls_files[1] or now - looked_at < EVERY_S then
        return
    end
    looked_at = now
    local seen = look()
    if seen ~= "" and seen ~= known then
        known = seen
        ngx.log(ngx.WARN, "the certificate or its key has changed: reloading")
        ffi.C.kill(ffi.C.getppid(), SIGHUP)
    end
end

return { notice = notice, mark = mark }
