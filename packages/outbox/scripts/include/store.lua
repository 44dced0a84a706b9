-- store(message, at): BullMQ's add of a message, and its place in the lane; returns where it stands: 'queued', 'scheduled', or 'parked'
-- behind another. The lane comes first: without it nothing is stored. A message behind another is parked at once, so that it is
-- never fetched too early: what the run of its predecessor settles lets it go. A scheduled message joins the lane when it
-- becomes due; until then it holds nobody up.
--   message.id, message.name, message.touser, message.data (JSON), message.sendAt, message.expiresAt, message.idem,
--   message.onClosed (its policy for a closed reply window, or ''), message.collapseKey
--   at.jobs, at.lanes                              prefixes
--   at.wait, at.delayed, at.active, at.counter, at.events, at.marker, at.parkedLanes, at.expiring   keys
--   at.now, at.micros   at.eventsMax, at.paused, at.concurrency   what `settingsOf` returns
--   at.storing   a table of what this call has stored, which `unstore` takes back
--- include first
--- include park
--- include collapse
--- include delayed-score
-- The settings of the queue, read once: events that are kept, whether it is paused, and how many may be active.
local function settingsOf(meta)
  local eventsMax, paused, concurrency = unpack(redis.call('HMGET', meta, 'opts.maxLenEvents', 'paused', 'concurrency'))
  return eventsMax or 10000, paused, concurrency
end

-- No message fails for its event.
local function tellStored(at, event, ...)
  redis.pcall('XADD', at.events, 'MAXLEN', '~', at.eventsMax, '*', 'event', event, ...)
end

local function store(message, at)
  local jobKey, lane = at.jobs .. message.id, at.lanes .. message.touser
  if redis.call('EXISTS', jobKey) == 1 then return 'duplicate' end
  local delayMs = message.sendAt and math.max(0, message.sendAt - at.now) or 0
  local isLater = delayMs > 0
  local older = message.collapseKey and collapse(message, isLater, at)
  local isAlone = not older and (isLater or redis.call('RPUSH', lane, message.id) == 1)
  local fields = {
    'name', message.name, 'data', message.data, 'opts', delayMs > 0 and '{"delay":' .. string.format('%.0f', delayMs) .. '}' or '{}',
    'timestamp', at.now, 'delay', delayMs, 'priority', 0,
  }
  if message.idem then
    fields[13], fields[14] = 'idem', message.idem
  end
  if message.onClosed ~= '' then
    local n = #fields
    fields[n + 1], fields[n + 2] = 'onClosed', message.onClosed
  end
  redis.call('HSET', jobKey, unpack(fields))
  -- From here on there is something to take back. Where memory is full nothing is: a removal would let the next message in.
  at.storing[#at.storing + 1] = { id = message.id, touser = message.touser, collapseKey = message.collapseKey }
  tellStored(at, 'added', 'jobId', message.id, 'name', message.name)
  if message.expiresAt then redis.call('ZADD', at.expiring, message.expiresAt, message.id) end
  if older and waitsLikewise(older, message, at) then return 'queued' end
  -- Only now: what stands in a lane without a job is taken for gone.
  if not isAlone and first(lane, at.jobs) ~= message.id then
    at.lane = lane
    park(message.id, at)
    return 'parked'
  end
  if isLater then
    redis.call('ZADD', at.delayed, delayedScore(at.delayed, at.now + delayMs), message.id)
    tellStored(at, 'delayed', 'jobId', message.id, 'delay', at.now + delayMs)
    at.hasDelayed = true
    return 'scheduled'
  end
  -- One in another's place is as old as that was.
  redis.call(older and 'RPUSH' or 'LPUSH', at.wait, message.id)
  tellStored(at, 'waiting', 'jobId', message.id)
  at.hasWaiting = true
  return 'queued'
end

-- Takes back what this call has stored before another program's key failed it. Half a message would hold up all behind it.
local function unstore(at)
  for _, message in ipairs(at.storing) do
    redis.pcall('DEL', at.jobs .. message.id)
    redis.pcall('LREM', at.lanes .. message.touser, '-1', message.id)
    redis.pcall('LREM', at.wait, '1', message.id)
    redis.pcall('ZREM', at.delayed, message.id)
    redis.pcall('ZREM', at.expiring, message.id)
    local known = at.collapse and at.collapse .. message.touser
    if message.collapseKey and redis.pcall('HGET', known, message.collapseKey) == message.id then
      redis.call('HDEL', known, message.collapseKey)
    end
  end
end

local function wakeIdle(at)
  if at.hasDelayed then markDelayed(at.marker, at.delayed) end
  if not at.hasWaiting then return end
  if at.paused or (at.concurrency and redis.call('LLEN', at.active) >= tonumber(at.concurrency)) then return end
  redis.call('ZADD', at.marker, 0, '0')
end

-- Once for all that were stored: the counter that BullMQ keeps, and what makes idle workers look. What is stored does not fail for it: the
-- queue poll finds that.
local function announce(count, at)
  redis.pcall('INCRBY', at.counter, count)
  pcall(wakeIdle, at)
end
