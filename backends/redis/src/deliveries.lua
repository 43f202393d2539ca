-- Writes deliveries with the entries of their indexes, and forgets what is too much.
-- KEYS: what maps ids to deliveries. ARGV: what the keys begin with; most deliveries of each finished state, and to how many they are cut; how
-- many are forgotten at most; the time before which open ones are forgotten, eight bytes; then packed: id and delivery in turn.
-- A delivery begins with its head: state (a digit), time of creation (8 bytes), channel (16), monitor (16, or none). An index is
-- a sorted set of time and id, all with the score 0, so in the order of their bytes.
local call, base = redis.call, ARGV[1]
local items = cmsgpack.unpack(ARGV[6])

local function indexes(head)
    local names = {base .. 'all', base .. 's:' .. head:sub(1, 1), base .. 'c:' .. head:sub(10, 25)}
    if head:byte(26) == 1 then names[4] = base .. 'm:' .. head:sub(27, 42) end
    return names
end

local function forget(id, delivery)
    local entry = delivery:sub(2, 9) .. id
    for _, name in ipairs(indexes(delivery)) do call('ZREM', name, entry) end
end

for i = 1, #items, 2 do
    local id, delivery = items[i], items[i + 1]
    local before = call('HGET', KEYS[1], id)
    if not before or before:sub(1, 42) ~= delivery:sub(1, 42) then
        if before then forget(id, before) end
        for _, name in ipairs(indexes(delivery)) do call('ZADD', name, 0, delivery:sub(2, 9) .. id) end
    end
    call('HSET', KEYS[1], id, delivery)
end

local function remove(index, entries)
    for _, entry in ipairs(entries) do
        local id = entry:sub(9)
        local delivery = call('HGET', KEYS[1], id)
        if delivery then forget(id, delivery) end
        call('ZREM', index, entry)
        call('HDEL', KEYS[1], id)
    end
end

for _, state in ipairs({'1', '3', '4'}) do
    local finished = base .. 's:' .. state
    local count = call('ZCARD', finished)
    if count > tonumber(ARGV[2]) then
        local excess = math.min(count - tonumber(ARGV[3]), tonumber(ARGV[4]))
        remove(finished, call('ZRANGE', finished, 0, excess - 1))
    end
end
for _, state in ipairs({'0', '2'}) do
    local open = base .. 's:' .. state
    remove(open, call('ZRANGEBYLEX', open, '-', '(' .. ARGV[5], 'LIMIT', 0, ARGV[4]))
end
return 1
