-- wake(laneKey, jobPrefix, heldKey): lets the first of a lane be fetched at once if it is parked, and returns its id or false.
-- Only a parked job is promoted: one that waits for its own retry keeps its backoff. It goes to the front of `wait`,
-- because it is older than whatever has come since. The steps are BullMQ's own `promote`, done here so that no crash
-- can fall between taking somebody off a lane and waking the next.
-- `held` remembers when a lane with parked messages last moved: `heal` looks after those that have not for a while.
--- include clock
--- include first
local function wake(laneKey, jobPrefix, heldKey)
  local id = first(laneKey, jobPrefix)
  if not id then
    redis.call('ZREM', heldKey, laneKey)
    return false
  end
  redis.call('ZADD', heldKey, 'XX', nowMs(), laneKey)
  local jobKey = jobPrefix .. id
  if redis.call('HGET', jobKey, 'parked') == '1' and redis.call('ZREM', jobPrefix .. 'delayed', id) == 1 then
    redis.call('HDEL', jobKey, 'parked')
    redis.call('RPUSH', jobPrefix .. 'wait', id)
    redis.call('HSET', jobKey, 'delay', 0)
    redis.call('ZADD', jobPrefix .. 'marker', 0, '0')
  end
  return id
end
