-- The look after parking: a message that was parked while it became first would otherwise wait for nobody.
--   KEYS[1] lane   KEYS[2] held lanes
--   ARGV[1] id   ARGV[2] prefix of job keys
-- Returns 1 if it is first, and has been woken.
--- include first
--- include wake
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'NX', time[1] * 1000 + math.floor(time[2] / 1000), KEYS[1])
if first(KEYS[1], ARGV[2]) ~= ARGV[1] then return 0 end
wake(KEYS[1], ARGV[2], KEYS[2])
return 1
