-- Gives a partition to a new holder.
-- KEYS: meta. ARGV: owner, random part of the token, number of buckets, 'acquire' or the token of a dead holder's lease.
-- Answers {'taken', token}, {'held', owner, token} or {'buckets', how many there are}.
local owner, token, buckets = unpack(redis.call('HMGET', KEYS[1], 'owner', 'token', 'buckets'))
if buckets and buckets ~= ARGV[3] then return {'buckets', buckets} end
if token then
    local may = token == ARGV[4] or (ARGV[4] == 'acquire' and owner == ARGV[1])
    if not may then return {'held', owner, token} end
end
local new = redis.call('HINCRBY', KEYS[1], 'counter', 1) .. '-' .. ARGV[2]
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', new, 'committed', '0', 'buckets', ARGV[3])
return {'taken', new}
