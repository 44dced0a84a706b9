-- removeJob(jobKey): the keys of a job, BullMQ's own beside it included. Where it stood is for the caller to clear.
--- include awaiting
--- include spoilt
local function removeJob(jobKey)
  redis.call('DEL', jobKey, jobKey .. ':logs', jobKey .. ':dependencies', jobKey .. ':processed', jobKey .. ':failed',
    jobKey .. ':unsuccessful')
end

-- failIfWaitSpoilt(queue): raises where `removeWaiting` would fail half-way.
local function failIfWaitSpoilt(queue)
  failIfSpoilt({ queue .. 'wait', queue .. 'paused' }, { queue .. 'delayed', queue .. 'prioritized', awaitingKey(queue) })
end

-- removeWaiting(id, queue): takes a job that waits out of its queue, wherever it waits. `queue`: BullMQ's prefix. Returns
-- whether it waited.
local function removeWaiting(id, queue)
  failIfWaitSpoilt(queue)
  local waited = redis.call('ZREM', queue .. 'delayed', id) + redis.call('LREM', queue .. 'wait', 1, id)
  if waited == 0 then waited = redis.call('ZREM', queue .. 'prioritized', id) + redis.call('LREM', queue .. 'paused', 1, id) end
  if waited == 0 then return false end
  removeJob(queue .. id)
  redis.call('ZREM', awaitingKey(queue), id)
  redis.pcall('XADD', queue .. 'events', '*', 'event', 'removed', 'jobId', id, 'prev', 'waiting')
  return true
end
