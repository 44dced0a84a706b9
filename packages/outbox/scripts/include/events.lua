-- What an app's receiver is told of, as jobs of the queue `callback`. An event is written in the step that makes true what it tells of, and
-- so it is there exactly when that is. No step fails for it, though: another program may have spoilt the queue.
--   eventId(type, of)         of: id of the message, or of the app and of the moment
--   noteEvent(queue, event)   event.type, event.of, event.data (JSON), event.at (epoch ms). Returns its id
--   queueEvents(queue, ids)   lets workers tell those that were noted. Beyond the limit the oldest go that were not tried yet, and are counted
--   queue: prefix of the queue's keys
local EVENTS_MAX = 100000
local DROPPED_AT_ONCE = 100

local function eventId(type, of)
  return 'c-' .. string.gsub(of, '^m%-', '') .. '-' .. string.match(type, '[%w-]+$')
end

local function noteEvent(queue, event)
  local id = eventId(event.type, event.of)
  -- Three fields and not the six of BullMQ's own jobs, which read the others as none: half of what an event costs is this command.
  redis.pcall('HSET', queue .. id, 'name', event.type, 'data', event.data, 'timestamp', event.at)
  return id
end

local function queueEvents(queue, ids)
  if #ids == 0 then return end
  pcall(function()
    local waiting = redis.call('LPUSH', queue .. 'wait', unpack(ids))
    redis.pcall('ZADD', queue .. 'marker', '0', '0')
    local over = waiting + redis.call('ZCARD', queue .. 'delayed') - EVENTS_MAX
    for _ = 1, math.min(over, DROPPED_AT_ONCE) do
      local id = redis.call('RPOP', queue .. 'wait')
      if not id then return end
      redis.call('DEL', queue .. id)
      redis.call('INCR', queue .. 'dropped')
    end
  end)
end
