-- Every nginx since Debian 12: LuaJIT 2.1 and the ngx_lua API.
std = "ngx_lua"
max_line_length = 100
