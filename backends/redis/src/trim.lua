-- Forgets alerts up to a number, if the lease is in force. KEYS: meta, outbox. ARGV: token, number. Answers whether it is.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[2])
return 1
