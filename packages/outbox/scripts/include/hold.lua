-- The steps between the three states of an app's send queue: active, held (paused), probing (one message at a time).
-- They do what BullMQ's `pause` and `setGlobalConcurrency` do, here, so that the record of the hold and the queue change
-- in the same step. `prefix` is what BullMQ puts before the queue's keys.
--- include clock
--- include events

-- BullMQ itself writes '1' and looks only whether there is a value. Ours marks whose pause it is: one that another
-- program made, before or during a hold, is never lifted with it.
local OURS = 'wxo'

-- Who was told that the app is suspended is told when it goes on, whoever ends that: what is told then stands beside the queue of callbacks.
local function callbacksOf(prefix)
  return string.gsub(prefix, 'send:$', 'callback:'), string.match(prefix, '^{wxo:(.-)}')
end

local function tellOfApp(prefix, type, data)
  local queue, appid = callbacksOf(prefix)
  local at = nowMs()
  local of = appid .. '-' .. string.format('%.0f', at)
  queueEvents(queue, { noteEvent(queue, { type = type, of = of, data = data, at = at }) })
end

local function tellSuspended(prefix, suspended, resumed)
  if suspended ~= '' then tellOfApp(prefix, 'app.suspended', suspended) end
  if resumed ~= '' then redis.call('SET', callbacksOf(prefix) .. 'suspended', resumed) end
end

local function tellResumed(prefix)
  local key = callbacksOf(prefix) .. 'suspended'
  local data = redis.pcall('GET', key)
  if not data then return end
  redis.call('DEL', key)
  -- Another program has put something else there.
  if type(data) ~= 'string' then return end
  tellOfApp(prefix, 'app.resumed', data)
end

-- What makes idle workers look again.
local function stir(prefix)
  if redis.call('LLEN', prefix .. 'wait') > 0 or redis.call('ZCARD', prefix .. 'prioritized') > 0 then
    redis.pcall('ZADD', prefix .. 'marker', 0, '0')
    return
  end
  local next = redis.call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')
  if next[2] then redis.pcall('ZADD', prefix .. 'marker', math.floor(tonumber(next[2]) / 4096), '1') end
end

local function shut(prefix)
  if redis.call('HSETNX', prefix .. 'meta', 'paused', OURS) == 0 then return end
  redis.call('DEL', prefix .. 'marker')
  redis.pcall('XADD', prefix .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'paused')
end

local function unshut(prefix)
  if redis.call('HGET', prefix .. 'meta', 'paused') == OURS then
    redis.call('HDEL', prefix .. 'meta', 'paused')
    redis.pcall('XADD', prefix .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'resumed')
  end
  stir(prefix)
end

-- One message at a time, over all workers. A limit that somebody has set before is kept for afterwards.
local function startProbing(holdKey, prefix)
  redis.call('HSET', holdKey, 'half', '1', 'concurrency', redis.call('HGET', prefix .. 'meta', 'concurrency') or '')
  redis.call('HSET', prefix .. 'meta', 'concurrency', '1')
  unshut(prefix)
end

local function endProbing(holdKey, prefix)
  local before = redis.call('HGET', holdKey, 'concurrency')
  if before == '' then
    redis.call('HDEL', prefix .. 'meta', 'concurrency')
  elseif before then
    redis.call('HSET', prefix .. 'meta', 'concurrency', before)
  end
  redis.call('HDEL', holdKey, 'half', 'concurrency', 'prober', 'proberUntil')
end

-- The pause before the next probe, in ms: twice the one before it, up to `every`.
local function nextPauseMs(holdKey)
  local hold = redis.call('HMGET', holdKey, 'pause', 'every')
  local every = tonumber(hold[2])
  return math.min(2 * tonumber(hold[1] or every), every)
end

local function planProbe(holdKey, pauseMs)
  redis.call('HSET', holdKey, 'until', nowMs() + pauseMs, 'pause', pauseMs)
end

-- Held again, with the next probe one pause from now.
local function holdAgain(holdKey, prefix)
  endProbing(holdKey, prefix)
  planProbe(holdKey, nextPauseMs(holdKey))
  shut(prefix)
end

-- The fault is over. What an operator paused stays paused.
local function lift(holdKey, rowKey, prefix)
  endProbing(holdKey, prefix)
  redis.call('HDEL', holdKey, 'kind', 'cause', 'name', 'reason', 'since', 'until', 'pause', 'every')
  redis.call('DEL', rowKey)
  tellResumed(prefix)
  if redis.call('HEXISTS', holdKey, 'operator') == 0 then unshut(prefix) end
end

-- What a run that asks for its turn meets: false (the app is active), 'held' or 'probing'.
local function gate(holdKey, prefix)
  if redis.call('EXISTS', holdKey) == 0 then return false end
  local hold = redis.call('HMGET', holdKey, 'operator', 'kind', 'half')
  if not hold[1] and hold[3] then return 'probing' end
  -- The queue may have been resumed by a program that does not know of the hold.
  shut(prefix)
  return 'held'
end

-- While the app is probed one run at a time may call: the first that asks, until it has said what came of it or its lease is over.
local function claim(holdKey, token, leaseMs)
  local prober = redis.call('HMGET', holdKey, 'prober', 'proberUntil')
  if prober[1] and prober[1] ~= token and nowMs() < tonumber(prober[2]) then return false end
  redis.call('HSET', holdKey, 'prober', token, 'proberUntil', nowMs() + tonumber(leaseMs))
  return true
end
