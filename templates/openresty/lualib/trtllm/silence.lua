-- Ends streams whose backend has fallen silent in the middle.
--
-- nginx has one time limit for the wait for the first byte and for the pauses after
-- it, and a first token may take half an hour. So the pauses are watched here. What
-- ends a stream is the end of its client's connection: nginx then closes the backend's,
-- and the client sees that the last chunk is missing. Lua cannot reach another request,
-- so the connection is found among this worker's descriptors by who is at its other end.

local ffi = require "ffi"
local routes = require "routes"
local sightings = require "trtllm.sightings"

ffi.cdef [[
int getpeername(int fd, void *address, unsigned int *length);
int shutdown(int fd, int how);
]]

local LIMIT_S = routes.between_chunks_s -- nil: not watched
local LOOK_S = 1
local SHUT_RDWR = 2
local AF_INET, AF_INET6 = 2, 10
local MAX_FD = 16384 -- worker_rlimit_nofile
-- struct sockaddr_in and sockaddr_in6 of Linux: family, port, address.
local OFFSET = { [AF_INET] = 4, [AF_INET6] = 8 }
local LENGTH = { [AF_INET] = 4, [AF_INET6] = 16 }

local watched = {}

-- A chunk has come. Called by the body filter.
local function note_chunk(backend)
    local ctx = ngx.ctx
    local watch = ctx.watch
    if watch then
        watch.at = ngx.now()
        return
    end
    local var = ngx.var
    if var.server_protocol ~= "HTTP/2.0" then -- other requests are on the same connection
        watch = { at = ngx.now(), backend = backend, address = var.binary_remote_addr,
                  port = tonumber(var.remote_port), id = var.trtllm_request_id }
        ctx.watch = watch
        watched[watch] = true
    end
end

-- log phase. Returns whether the stream was ended here.
local function forget()
    local watch = ngx.ctx.watch
    if watch then
        watched[watch] = nil
        return watch.was_cut
    end
end

local address, length = ffi.new("uint8_t[128]"), ffi.new("unsigned int[1]")

local function is_client(fd, watch)
    length[0] = 128
    if ffi.C.getpeername(fd, address, length) ~= 0 then
        return false
    end
    local family = ffi.cast("uint16_t *", address)[0]
    return OFFSET[family] and address[2] * 256 + address[3] == watch.port
        and ffi.string(address + OFFSET[family], LENGTH[family]) == watch.address
end

local function cut(watch)
    watched[watch] = nil
    for fd = 3, MAX_FD do
        if is_client(fd, watch) then
            watch.was_cut = true
            sightings.note_error(watch.backend, "stream_cut", watch.id)
            ffi.C.shutdown(fd, SHUT_RDWR)
            return
        end
    end
end

local function look()
    ngx.update_time()
    local now = ngx.now()
    for watch in pairs(watched) do
        if now - watch.at >= LIMIT_S then
            cut(watch)
        end
    end
end

-- Call once in each new worker. A worker on its way out ends with its streams, at the
-- latest after first_byte_s.
local function start()
    if LIMIT_S then
        ngx.timer.every(LOOK_S, look)
    end
end

return {
    is_on = LIMIT_S ~= nil, note_chunk = note_chunk, forget = forget, start = start,
}
