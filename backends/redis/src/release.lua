-- Gives a partition back, if the lease is still in force. KEYS: meta. ARGV: token.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HDEL', KEYS[1], 'owner', 'token', 'committed') end
return 1
