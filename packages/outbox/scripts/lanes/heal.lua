-- Looks after lanes with parked messages that have not moved for a while: the one whose turn it is may be parked with
-- nobody left to wake it, because the one before it was removed by hand.
--   KEYS[1] parked lanes
--   ARGV[1] prefix of job keys   ARGV[2] not moved for so many ms   ARGV[3] lanes at most
-- Returns {lanes looked at, lanes that were empty …}. An empty lane that never moved to its end was deleted under its
-- messages.
--- include wake
--- include awaiting
local lanes = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', nowMs() - ARGV[2], 'LIMIT', 0, ARGV[3])
local answer = { #lanes }
for _, lane in ipairs(lanes) do
  if redis.call('EXISTS', lane) == 0 then answer[#answer + 1] = lane end
  wake(lane, ARGV[1], KEYS[1])
end
-- Nor does what was removed by hand wait for its user. What has waited longest is looked at: the rest becomes that in time.
local awaiting = awaitingKey(ARGV[1])
for _, id in ipairs(redis.call('ZRANGE', awaiting, 0, ARGV[3] - 1)) do
  if redis.call('HGET', ARGV[1] .. id, 'parked') ~= 'user' then redis.call('ZREM', awaiting, id) end
end
return answer
