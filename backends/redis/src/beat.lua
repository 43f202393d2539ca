-- Counts a node's beat, and forgets who was silent for a day. KEYS: roster. ARGV: name, seconds of a day.
-- Answers names and beats. A member is stored as its beat and, after a blank, the server's time of it.
local call = redis.call
local now = tonumber(call('TIME')[1])
local own = call('HGET', KEYS[1], ARGV[1])
local beat = own and tonumber(own:match('^%d+')) or 0
call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f', beat + 1, now))
local members, answer = call('HGETALL', KEYS[1]), {}
for i = 1, #members, 2 do
    local count, at = members[i + 1]:match('^(%d+) (%d+)$')
    if at and now - tonumber(at) <= tonumber(ARGV[2]) then
        answer[#answer + 1] = members[i]
        answer[#answer + 1] = count
    else
        call('HDEL', KEYS[1], members[i])
    end
end
return answer
