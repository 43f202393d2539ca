-- Writes a commit, or nothing (I7).
-- KEYS: meta. ARGV: token, number, offset that it follows, new offset, head, then packed arrays: key, field and value of what
-- is set in hashes; key and field of what is removed from them; the arguments of each ZADD; those of each ZREM.
-- Answers 'done', 'fenced', or the offset where the partition is.
local call = redis.call
local token, committed, stored, reset = unpack(call('HMGET', KEYS[1], 'token', 'committed', 'applied', 'reset'))
if token ~= ARGV[1] then return 'fenced' end
local number = tonumber(ARGV[2])
local applied = stored or '0'
committed = tonumber(committed)
if number <= committed then return 'done' end
-- A number that does not come next: the server lost commits that it had acknowledged.
if applied ~= ARGV[3] or number ~= committed + 1 then return applied end
-- A reset that did not come to its end, or was lost: a lease that begins at the start begins with one, which leaves no offset.
if reset or (committed == 0 and stored == '0') then return applied end

-- A script is not rolled back, so everything is unpacked before the first write.
local set, removed = cmsgpack.unpack(ARGV[6]), cmsgpack.unpack(ARGV[7])
local armed, disarmed = cmsgpack.unpack(ARGV[8]), cmsgpack.unpack(ARGV[9])

call('HSET', KEYS[1], 'committed', ARGV[2], 'applied', ARGV[4], 'head', ARGV[5])
for i = 1, #set, 3 do call('HSET', set[i], set[i + 1], set[i + 2]) end
for i = 1, #removed, 2 do call('HDEL', removed[i], removed[i + 1]) end
for i = 1, #armed do call('ZADD', unpack(armed[i])) end
for i = 1, #disarmed do call('ZREM', unpack(disarmed[i])) end
return 'done'
