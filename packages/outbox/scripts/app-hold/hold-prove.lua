-- What the call of the run that probes a held app came to.
--   KEYS[1] hold   KEYS[2] faults in a row
--   ARGV[1] prefix of the queue's keys   ARGV[2] lock token of the run
--   ARGV[3] 'delivered', 'healthy', 'reached' (WeChat answered, which says nothing about the app), 'unknown' or 'unused' (no call was made)
-- Returns 'lifted', 'again' or 'none'.
--- include hold
local hold = redis.call('HMGET', KEYS[1], 'half', 'prober', 'cause')
if not hold[1] or hold[2] ~= ARGV[2] then return 'none' end
if ARGV[3] == 'unused' then
  redis.call('HDEL', KEYS[1], 'prober', 'proberUntil')
  return 'none'
end
local isReach = hold[3] == 'road' or hold[3] == 'asked'
-- An app that had no token has one: only its refusal, which is a fault and does not come here, would say otherwise.
local isToken = hold[3] == 'token'
if ARGV[3] == 'delivered' or ARGV[3] == 'healthy' or isToken or (isReach and ARGV[3] == 'reached') then
  lift(KEYS[1], KEYS[2], ARGV[1])
  return 'lifted'
end
holdAgain(KEYS[1], ARGV[1])
return 'again'
