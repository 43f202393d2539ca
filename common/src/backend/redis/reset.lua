-- Forgets a part of a partition, but never its lease, if that is in force. With the first part, first of all, the head.
-- KEYS: meta, outbox. ARGV: token, what the partition's keys begin with, first and last bucket of the part, sorted sets.
-- Answers whether the lease is in force.
local call = redis.call
if call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then
    call('HDEL', KEYS[1], 'head', 'applied')
    call('UNLINK', KEYS[2])
    for set = 0, ARGV[5] - 1 do call('UNLINK', ARGV[2] .. 'due:' .. set) end
end
for bucket = tonumber(ARGV[3]), tonumber(ARGV[4]) do call('UNLINK', ARGV[2] .. 'h:' .. bucket, ARGV[2] .. 'c:' .. bucket) end
return 1
