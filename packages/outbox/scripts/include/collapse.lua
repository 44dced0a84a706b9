-- A message with a collapse key replaces an older one of the same person and key, if nothing of that can have reached WeChat: it takes
-- its place in the lane, and the older one ends `superseded`. What is remembered of a key is looked at only when the next message bears it.
--   message.id, message.touser, message.collapseKey, message.onClosed
--   at.jobs, at.lanes, at.collapse, at.records   prefixes   at.delayed, at.completed, at.expiring, at.parkedLanes   keys   at.now
--- include idempotency
--- include wake
--- include awaiting
--- include unsure
--- include spoilt
local COLLAPSE_MS = 2592000000
-- Each time that so many more keys are remembered of a person, those whose messages are over are forgotten.
local COLLAPSE_KEYS = 64

-- The older message, and how it waits: nil where there is none to replace.
local function findOlder(message, at)
  local id = redis.call('HGET', at.collapse .. message.touser, message.collapseKey)
  if not id or id == message.id then return nil end
  local job = redis.call('HMGET', at.jobs .. id, 'timestamp', 'settled', 'sending', 'atm', 'stc', 'parked', 'awaitsSince', 'idem',
    'stacktrace')
  local isOpen = job[1] and not job[2] and (not job[3] or job[3] == '')
  if not isOpen or (tonumber(job[4]) or 0) > 0 or (tonumber(job[5]) or 0) > 0 then return nil end
  if endedUnsure(job[9]) or redis.call('EXISTS', at.jobs .. id .. ':lock') == 1 then return nil end
  return { id = id, parked = job[6], awaitsSince = job[7], idem = job[8] }
end

-- In `wait` the id of an older message stays until it is fetched, and is dropped there: to look for it would take as long as the queue is.
local function supersede(older, message, at)
  redis.call('ZADD', at.completed, at.now, older.id)
  redis.call('HSET', at.jobs .. older.id, 'settled', 'superseded', 'supersededBy', message.id, 'finishedOn', at.now, 'parked', '0')
  older.score = redis.call('ZSCORE', at.delayed, older.id)
  redis.call('ZREM', at.delayed, older.id)
  redis.call('ZREM', awaitingKey(at.jobs), older.id)
  -- Where the end was not its own, it is that of its wait.
  local data = redis.call('HGET', at.jobs .. older.id, 'data')
  older.endsAt = not string.find(data, '"expiresAt":', 1, true) and redis.call('ZSCORE', at.expiring, older.id)
  redis.call('ZREM', at.expiring, older.id)
  noteEnding(at.records, older.idem, older.id, 'superseded')
end

local function forgetEnded(known, jobs, newId)
  if redis.call('HLEN', known) % COLLAPSE_KEYS > 0 then return end
  local remembered = redis.call('HGETALL', known)
  for n = 1, #remembered, 2 do
    local id = remembered[n + 1]
    local exists, settled = unpack(redis.call('HMGET', jobs .. id, 'timestamp', 'settled'))
    if id ~= newId and (not exists or settled) then redis.call('HDEL', known, remembered[n]) end
  end
end

-- collapse(message, isLater, at): replaces the older message if there is one. Returns it where the new one stands in its place in the lane
-- already, which one that is sent later does not take.
local function collapse(message, isLater, at)
  local known = at.collapse .. message.touser
  local older = findOlder(message, at)
  -- The older message is not replaced by one that is not stored.
  if older then failIfSpoilt({ at.wait }, { at.completed, at.delayed, at.expiring, at.parkedLanes, awaitingKey(at.jobs) }) end
  local isNewKey = redis.call('HSET', known, message.collapseKey, message.id) == 1
  redis.call('PEXPIRE', known, COLLAPSE_MS)
  if isNewKey then forgetEnded(known, at.jobs, message.id) end
  if not older then return nil end
  local lane = at.lanes .. message.touser
  local hasPlace = not isLater and redis.call('LINSERT', lane, 'BEFORE', older.id, message.id) > 0
  local stood = redis.call('LREM', lane, 1, older.id) > 0
  supersede(older, message, at)
  if hasPlace then return older end
  -- Whoever was behind it waits for nobody.
  if stood then wake(lane, at.jobs, at.parkedLanes) end
  return nil
end

-- waitsLikewise(older, message, at): the new message waits for the user as the older one did, and for as long, where it may wait, too.
-- Returns whether it does.
local function waitsLikewise(older, message, at)
  if older.parked ~= 'user' or not older.score or message.onClosed ~= 'hold' then return false end
  redis.call('HSET', at.jobs .. message.id, 'parked', 'user', 'delay', 0, 'awaitsSince', older.awaitsSince or at.now)
  redis.call('ZADD', at.delayed, older.score, message.id)
  redis.call('ZADD', awaitingKey(at.jobs), older.awaitsSince or at.now, message.id)
  if not message.expiresAt and older.endsAt then redis.call('ZADD', at.expiring, older.endsAt, message.id) end
  return true
end
