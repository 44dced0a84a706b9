-- The token endpoint has given a token to an app that was held for want of one. Where messages wait, the first of them shows
-- whether the token serves; where none does, nothing is left to wait for.
--   KEYS[1] hold   KEYS[2] faults in a row
--   ARGV[1] prefix of the queue's keys
-- Returns 'lifted', 'probing' or 'none'.
--- include hold
local hold = redis.call('HMGET', KEYS[1], 'operator', 'cause', 'half')
if hold[1] or hold[2] ~= 'token' or hold[3] then return 'none' end
if redis.call('LLEN', ARGV[1] .. 'wait') > 0 or redis.call('ZCARD', ARGV[1] .. 'delayed') > 0 then
  startProbing(KEYS[1], ARGV[1])
  return 'probing'
end
lift(KEYS[1], KEYS[2], ARGV[1])
return 'lifted'
