-- promoteDue(at): BullMQ's own promotion of what has become due. A parked message that becomes due is put off again:
-- only `wake` lets it be fetched.
--   at.jobs   prefix of jobs   at.wait, at.delayed, at.prioritized, at.events   keys   at.now   epoch ms
--- include park
-- What another program has spoilt is looked at again after this time, and fails no fetch of the others meanwhile.
local SPOILT_MS = 10000

local function promoteDue(at)
  local due = redis.call('ZRANGEBYSCORE', at.delayed, 0, (at.now + 1) * 0x1000 - 1, 'LIMIT', 0, 1000)
  for _, id in ipairs(due) do
    local job = redis.pcall('HMGET', at.jobs .. id, 'parked', 'priority')
    local parked, priority = unpack(job)
    local putOffMs = job.err and SPOILT_MS or parked == '1' and PARK_MS
    if putOffMs then
      redis.call('ZADD', at.delayed, 'XX', (at.now + putOffMs) * 0x1000, id)
    else
      -- The other list comes first: it may be spoilt, and the message would stand nowhere.
      if (tonumber(priority) or 0) == 0 then
        redis.call('LPUSH', at.wait, id)
      else
        redis.call('ZADD', at.prioritized, priority * 0x100000000 + redis.call('INCR', at.jobs .. 'pc') % 0x100000000, id)
      end
      redis.call('ZREM', at.delayed, id)
      redis.pcall('XADD', at.events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
      redis.call('HSET', at.jobs .. id, 'delay', 0)
    end
  end
end
