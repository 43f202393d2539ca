-- Adds records to lists, each in the order of time and once.
-- KEYS: one of the lists. ARGV: how many records a list may have before it is cut, to how many it is cut, and a packed array:
-- list and record in turn. A record begins with its time, eight bytes, the highest first.
local call = redis.call
local most, keep = tonumber(ARGV[1]), tonumber(ARGV[2])
local items = cmsgpack.unpack(ARGV[3])

local function time(record)
    local a, b, c, d, e, f, g, h = string.byte(record, 1, 8)
    return ((((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f) * 256 + g) * 256 + h
end

-- Puts a record before the first one that is later. Most late ones came just now, or are there already.
local function insert(list, record)
    local at, length = time(record), call('LLEN', list)
    local low, high = 0, length - 1
    while low < high do
        local middle = math.floor((low + high) / 2)
        if time(call('LINDEX', list, middle)) < at then low = middle + 1 else high = middle end
    end
    local later = call('LINDEX', list, low)
    if time(later) == at or (low == 0 and length >= keep) then return 0 end
    call('LINSERT', list, 'BEFORE', later, record)
    return length + 1
end

for i = 1, #items, 2 do
    local list, record = items[i], items[i + 1]
    local newest = call('LINDEX', list, -1)
    local length
    if newest and time(newest) >= time(record) then length = insert(list, record) else length = call('RPUSH', list, record) end
    if length > most then call('LTRIM', list, -keep, -1) end
end
return 1
