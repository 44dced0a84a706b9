-- park(id, at): a message that is behind another in its lane waits among the delayed jobs until it is woken. It is parked for
-- a day and not for a moment, because every look of its own would be a fetch: whoever takes a message off a lane wakes
-- the next, and `heal` finds lanes in which nobody was left to do so.
--   at.jobs    prefix of jobs    at.delayed, at.parkedLanes    keys    at.lane    the lane's key    at.now    epoch ms
local PARK_MS = 86400000

local function park(id, at)
  redis.call('HSET', at.jobs .. id, 'parked', '1', 'delay', PARK_MS)
  redis.call('ZADD', at.delayed, (at.now + PARK_MS) * 0x1000, id)
  redis.call('ZADD', at.parkedLanes, 'NX', at.now, at.lane)
end
