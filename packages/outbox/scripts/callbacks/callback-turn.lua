-- Notes what calls to an app's receiver came to, and hands out the events whose turn it is. An event that is handed out stands among
-- the delayed ones, due when its lease is over: so one whose worker has died is told again without anybody having to look for it. A
-- receiver that fails is held: it gets one event at a time, after growing pauses, until it takes one. One that answered 410 gets none
-- until its settings change or an operator says so.
--   KEYS[1] wait   KEYS[2] delayed   KEYS[3] completed   KEYS[4] failed   KEYS[5] marker   KEYS[6] hold   KEYS[7] dropped
--   ARGV[1] prefix of the queue's keys   ARGV[2] print of the receiver's settings, '' where its caller knows of no receiver   ARGV[3] events wanted   ARGV[4] lease in ms
--   ARGV[5] told events are kept for so many seconds   ARGV[6] and so many   ARGV[7] given-up ones for so many seconds
--   ARGV[8] failures in a row that hold the receiver   ARGV[9] first pause in ms   ARGV[10] longest   ARGV[11] oldest event that is told, in ms
--   ARGV[12..] four for each call: id of the event, what it came to, ms until it is tried again or '', why it failed or ''
--     taken   back (no call was made)   failed   gone (410)   given-up (its last try has failed)   unreadable (nor was one made)
-- Returns {now, when the earliest delayed event is due or '', until when the receiver is held, '' or 'gone', what has become of the
-- receiver: 'held', 'again', 'resumed' or '', how many events were dropped since the last turn, how many were given up for their age,
-- then for each event {id, type, data, when it became true, tries before}}.
--- include clock
--- include delayed-score
--- include trim-delivered
local wait, delayed, completed, failed, marker, hold, dropped = unpack(KEYS)
local queue, print = ARGV[1], ARGV[2]
local room, leaseMs, keepSeconds, keepCount, keepFailedSeconds, rowMax, pauseMs, pauseMsMax, ageMsMax = unpack(ARGV, 3, 11)
local FIRST, WIDTH = 12, 4
local TOO_OLD = 'too old'
-- As many as can be pending.
local FAILED_MAX = 100000
local now = nowMs()
room, leaseMs, pauseMs, pauseMsMax, ageMsMax = tonumber(room), tonumber(leaseMs), tonumber(pauseMs), tonumber(pauseMsMax), tonumber(ageMsMax)

local kind, row, of, till, prober, pause = unpack(redis.call('HMGET', hold, 'kind', 'row', 'print', 'until', 'prober', 'pause'))
local became = ''

local function lift()
  if kind then became = 'resumed' end
  if kind or row then redis.call('DEL', hold) end
  kind, row, till, prober, pause = nil, nil, nil, nil, nil
end

local function holdIt(as, why, untilMs)
  kind, till = as, untilMs
  -- Failures before it would have been forgotten.
  redis.call('PERSIST', hold)
  redis.call('HSET', hold, 'kind', as, 'reason', why, 'since', now, 'until', untilMs or '', 'print', print, 'pause', pauseMs)
  became = 'held'
end

local function noteFailure(id, as, waitMs, why)
  if as == 'gone' then
    if kind ~= 'gone' then holdIt('gone', why) end
  elseif kind == 'failing' then
    if id ~= prober then return end
    pause = math.min(2 * (tonumber(pause) or pauseMs), pauseMsMax)
    till, prober, became = now + pause, nil, 'again'
    redis.call('HSET', hold, 'until', till, 'pause', pause, 'reason', why)
    redis.call('HDEL', hold, 'prober')
  elseif not kind then
    row = redis.call('HINCRBY', hold, 'row', 1)
    redis.call('HSET', hold, 'print', print)
    -- Failures with a day between them are not in a row.
    redis.call('PEXPIRE', hold, 86400000)
    if row < tonumber(rowMax) then return end
    holdIt('failing', why, now + pauseMs)
  end
end

local old = 0
local function giveUp(id, why)
  -- Somebody has removed it.
  if redis.call('EXISTS', queue .. id) == 0 then return end
  redis.call('ZADD', failed, now, id)
  if why == TOO_OLD then old = old + 1 end
  redis.pcall('HSET', queue .. id, 'finishedOn', now, 'failedReason', why)
end

-- What cannot be written in the event itself, because another program has spoilt it, keeps no other from being noted; a Redis that refuses to write
-- does so with the first command.
local function note(id, as, waitMs, why)
  -- Nobody's any more: told by another worker, or removed.
  local isThere = redis.call('ZREM', delayed, id) == 1
  if as == 'taken' and kind ~= 'gone' then lift() end
  if as == 'failed' or as == 'gone' or as == 'given-up' then noteFailure(id, as, waitMs, why) end
  if (as == 'back' or as == 'unreadable') and kind == 'failing' and id == prober then
    -- The receiver was not tried.
    till, prober = now, nil
    redis.call('HSET', hold, 'until', now)
    redis.call('HDEL', hold, 'prober')
  end
  if not isThere then return end
  if as == 'back' then
    redis.call('RPUSH', wait, id)
    -- Its worker may ask for nothing more.
    redis.pcall('ZADD', marker, '0', '0')
    return
  end
  redis.pcall('HINCRBY', queue .. id, 'atm', 1)
  if as == 'taken' then
    redis.call('ZADD', completed, now, id)
    redis.pcall('HSET', queue .. id, 'finishedOn', now, 'returnvalue', '"taken"')
    redis.pcall('HDEL', queue .. id, 'failedReason')
  elseif as == 'given-up' or as == 'unreadable' then
    giveUp(id, why)
  else
    redis.call('ZADD', delayed, delayedScore(delayed, now + tonumber(waitMs)), id)
    redis.pcall('HSET', queue .. id, 'delay', waitMs, 'failedReason', why)
  end
end

-- Of another receiver, or of other settings.
if print ~= '' and (kind or row) and of ~= print then lift() end
for n = FIRST, #ARGV, WIDTH do note(unpack(ARGV, n, n + WIDTH - 1)) end

-- What has waited for too long for a receiver that takes nothing: since it became true, or since it was replayed. Bounded: the rest is
-- there for the next turn.
for _ = 1, 100 do
  local id = redis.call('LINDEX', wait, -1)
  if not id then break end
  local isRead, times = pcall(redis.call, 'HMGET', queue .. id, 'again', 'timestamp')
  local since = isRead and tonumber(times[1] or times[2] or '') or 0
  if since > now - ageMsMax then break end
  redis.call('RPOP', wait)
  if since > 0 then giveUp(id, TOO_OLD) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', (now - ageMsMax) * 0x1000, 'LIMIT', 0, 100)) do
  redis.call('ZREM', delayed, id)
  giveUp(id, TOO_OLD)
end

if kind == 'gone' then room = 0 end
if kind == 'failing' then
  -- One that is out as the probe holds the others back until its lease is over.
  room = now < tonumber(till) and 0 or math.min(room, 1)
end
local answer = {}
local function hand(id)
  local isRead, job = pcall(redis.call, 'HMGET', queue .. id, 'name', 'data', 'timestamp', 'atm')
  -- A Redis that is full refuses a ZADD as the first write of a script, and nothing could be told of what fills it.
  redis.call('ZREM', delayed, id)
  if not isRead or not job[1] then
    redis.call('DEL', queue .. id)
    return
  end
  redis.call('ZADD', delayed, (now + leaseMs) * 0x1000, id)
  redis.call('HSET', queue .. id, 'delay', leaseMs, 'processedOn', now)
  answer[#answer + 1] = { id, job[1], job[2] or '', job[3] or '0', job[4] or '0' }
end
-- The newest is the probe: what has failed may be what its receiver refuses always, and would be refused again.
if room > 0 and kind == 'failing' then
  local id = redis.call('LPOP', wait)
  if id then hand(id) end
end
if room > #answer then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', (now + 1) * 0x1000 - 1, 'LIMIT', 0, room - #answer)) do hand(id) end
  while #answer < room do
    local id = redis.call('RPOP', wait)
    if not id then break end
    hand(id)
  end
end
if room > 0 then
  if kind == 'failing' and answer[1] then
    till = now + leaseMs
    redis.call('HSET', hold, 'prober', answer[1][1], 'until', till)
  end
  -- More is there than this worker takes: others are to look.
  if not kind and redis.call('EXISTS', wait) == 1 then redis.pcall('ZADD', marker, '0', '0') end
end

trimDelivered(completed, queue, { now = now, seconds = keepSeconds, count = keepCount })
trimDelivered(failed, queue, { now = now, seconds = keepFailedSeconds, count = FAILED_MAX })
local lost = print ~= '' and redis.call('GET', dropped)
if lost then redis.call('DEL', dropped) end
local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local heldUntil = kind == 'gone' and 'gone' or kind and string.format('%.0f', tonumber(till)) or ''
return {
  string.format('%.0f', now), due and string.format('%.0f', math.floor(tonumber(due) / 0x1000)) or '', heldUntil, became, tonumber(lost or '0'),
  old, unpack(answer),
}
