-- park(id, at): a message that is behind another in its lane waits among the delayed jobs until it is woken. It is parked for
-- a day and not for a moment, because every look of its own would be a fetch: whoever takes a message off a lane wakes
-- the next, and `heal` finds lanes in which nobody was left to do so.
--   at.jobs    prefix of jobs    at.delayed, at.parkedLanes    keys    at.lane    the lane's key    at.now    epoch ms
--   at.micros  microseconds of that millisecond    at.parked    how many this script has parked before
local PARK_MS = 86400000

-- The lower twelve bits of BullMQ's score keep the order in which messages were parked: a lane that somebody deletes can be
-- made anew from it. One script in 12 microseconds, 50 messages in a script.
local function parkScore(at)
  local place = math.floor(at.micros / 12.5) * 50 + math.min(at.parked or 0, 49)
  at.parked = (at.parked or 0) + 1
  return (at.now + PARK_MS) * 0x1000 + place
end

-- Where another program has spoilt a key this raises, and nothing is changed: nobody would look after a parked message whose lane
-- is not noted.
local function park(id, at)
  redis.call('ZADD', at.delayed, parkScore(at), id)
  if type(redis.pcall('ZADD', at.parkedLanes, 'NX', at.now, at.lane)) ~= 'number' then
    redis.call('ZREM', at.delayed, id)
    redis.call('ZCARD', at.parkedLanes)
  end
  redis.call('HSET', at.jobs .. id, 'parked', '1', 'delay', PARK_MS)
end
