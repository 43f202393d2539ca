-- Forgets everything of a partition but its lease, if that is in force.
-- KEYS: meta, outbox. ARGV: token, what the partition's keys begin with, buckets, sorted sets. Answers whether it is.
local call = redis.call
if call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
call('HDEL', KEYS[1], 'head', 'applied')
call('UNLINK', KEYS[2])
for bucket = 0, ARGV[3] - 1 do call('UNLINK', ARGV[2] .. 'h:' .. bucket, ARGV[2] .. 'c:' .. bucket) end
for set = 0, ARGV[4] - 1 do call('UNLINK', ARGV[2] .. 'due:' .. set) end
return 1
