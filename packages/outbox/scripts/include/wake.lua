-- wake(laneKey, jobPrefix, parkedKey): lets the first of a lane be fetched at once if it is parked, and returns its id, false when the
-- lane is empty, or nil when it is not known yet (`first`): then the lane is still noted for `heal`, which goes on.
-- Only a parked job is promoted: one that waits for its own retry keeps its backoff. It goes to the front of `wait`,
-- because it is older than whatever has come since. The steps are BullMQ's own `promote`, done here so that no crash
-- can fall between taking a message off a lane and waking the next.
-- `parkedKey` lists the lanes with parked messages by when they last moved: `heal` looks after those that have not for a while.
--- include clock
--- include first
--- include take-delayed

local function promote(id, jobPrefix)
  if not takeDelayed(id, jobPrefix .. 'delayed', jobPrefix .. 'wait', 'RPUSH', 'RPOP') then return end
  redis.call('HSET', jobPrefix .. id, 'parked', '0', 'delay', 0)
  redis.pcall('ZADD', jobPrefix .. 'marker', 0, '0')
  redis.pcall('XADD', jobPrefix .. 'events', '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
end

local function wake(laneKey, jobPrefix, parkedKey)
  local id, parked = first(laneKey, jobPrefix)
  if id == nil then return nil end
  if not id then
    redis.call('ZREM', parkedKey, laneKey)
    return false
  end
  redis.call('ZADD', parkedKey, 'XX', nowMs(), laneKey)
  if parked == '1' then promote(id, jobPrefix) end
  return id
end
