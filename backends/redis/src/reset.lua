-- Forgets a part of a partition, but never its lease, if that is in force. With the first part, first of all, the head.
-- KEYS: meta, outbox. ARGV: token, what the partition's keys begin with, first and last bucket of the part, sorted sets, buckets.
-- Answers 'done', 'fenced', or 'lost' if this is not the part that comes next: the server lost one that it had acknowledged.
local call = redis.call
local token, coming = unpack(call('HMGET', KEYS[1], 'token', 'reset'))
if token ~= ARGV[1] then return 'fenced' end
if ARGV[3] == '0' then
    call('HDEL', KEYS[1], 'head', 'applied')
    call('UNLINK', KEYS[2])
    for set = 0, ARGV[5] - 1 do call('UNLINK', ARGV[2] .. 'due:' .. set) end
elseif coming ~= ARGV[3] then
    return 'lost'
end
for bucket = tonumber(ARGV[3]), tonumber(ARGV[4]) do call('UNLINK', ARGV[2] .. 'h:' .. bucket, ARGV[2] .. 'c:' .. bucket) end
-- Until the last part was forgotten, nothing is committed on top of what is left.
local following = ARGV[4] + 1
if following < tonumber(ARGV[6]) then
    call('HSET', KEYS[1], 'reset', string.format('%.0f', following))
else
    call('HDEL', KEYS[1], 'reset')
end
return 'done'
