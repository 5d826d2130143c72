-- Sees that the certificate or its key has been replaced, or the file that vouches for peers,
-- and has nginx reload: a renewal needs no hook, and is the same under every supervisor. A
-- pair that does not fit makes nginx refuse and keep what it has; it is tried again when one
-- of the files changes.

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

-- Returns twelve digits that stand for the files; "" while one cannot be read.
local function look(paths)
    local seen = {}
    for i, path in ipairs(paths) do
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

-- Loaded in the master, which has just read the files itself.
local mark = look(routes.tls_files)
local watched = {
    { paths = routes.tls_files, known = mark, what = "the certificate or its key" },
}
if routes.peer_authority then
    local paths = { routes.peer_authority }
    watched[2] = { paths = paths, known = look(paths), what = "the authority of the peers" }
end
local looked_at = 0

-- Called by the worker that watches, a few times a second.
local function notice(now)
    if now - looked_at < EVERY_S then
        return
    end
    looked_at = now
    for _, files in ipairs(watched) do
        local seen = look(files.paths)
        if seen ~= "" and seen ~= files.known then
            files.known = seen
            ngx.log(ngx.WARN, files.what, " has changed: reloading")
            ffi.C.kill(ffi.C.getppid(), SIGHUP)
        end
    end
end

return { notice = notice, mark = mark }
