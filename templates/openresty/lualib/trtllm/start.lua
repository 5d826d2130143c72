-- What happens once in the master and once in each worker.

local ffi = require "ffi"

ffi.cdef [[ int chmod(const char *path, unsigned int mode); ]]

-- Loads everything before the workers are forked: they share it.
local function master()
    require "trtllm.admin"
    require "trtllm.engine_errors"
    require "trtllm.exposition"
    require "trtllm.gateway"
    require "trtllm.rounds"
    require "trtllm.views"
    require "trtllm.json_scan".warm_up()
end

local function worker()
    local routes = require "routes"
    -- nginx makes unix sockets 0666; this one drains backends.
    ffi.C.chmod(routes.admin_socket, 384) -- 0600
    require "trtllm.body".keep_memory()
    require "trtllm.shared".join()
    require "trtllm.metrics".start()
    require "trtllm.silence".start()
    require "trtllm.watch".start()
end

return { master = master, worker = worker }
