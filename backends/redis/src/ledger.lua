-- Writes rows of a scope, or nothing.
-- KEYS: the scope's hash. ARGV: the version that it follows, 0 = there is nothing; then packed, in turn: key of a row, 1 to put or
-- 0 to remove it, the row.
-- Answers 'written' or 'conflict', and the version that the scope is at.
local call, scope = redis.call, KEYS[1]
local before = call('HGET', scope, 'version') or '0'
if before ~= ARGV[1] then return {'conflict', before} end

-- A script is not rolled back, so everything is unpacked before the first write.
local items = cmsgpack.unpack(ARGV[2])
-- By the server's clock: neither a scope that was forgotten nor a server that was set back comes to a version a second time.
local time = call('TIME')
local version = math.max(tonumber(before) + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
version = string.format('%.0f', version)

call('HSET', scope, 'version', version)
for i = 1, #items, 3 do
    if items[i + 1] == '1' then call('HSET', scope, items[i], items[i + 2]) else call('HDEL', scope, items[i]) end
end
if call('HLEN', scope) == 1 then
    call('HDEL', scope, 'version')
    version = '0'
end
return {'written', version}
