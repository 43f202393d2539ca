-- The output of a heartbeat that is still known. KEYS: outputs, heartbeats. ARGV: its time, eight bytes.
local first = redis.call('LINDEX', KEYS[2], 0)
for _, record in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if record:sub(1, 8) == ARGV[1] then
        -- Older than the oldest heartbeat: that was cut off.
        for i = 1, 8 do
            local own, oldest = ARGV[1]:byte(i), first and first:byte(i) or 256
            if own < oldest then return false end
            if own > oldest then break end
        end
        return record:sub(9)
    end
end
return false
