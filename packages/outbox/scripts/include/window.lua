-- The ledger of a person's reply window, a hash: `at` and `action` of the latest action, `id` (see `act`), `limit` and `used` in messages, `until`
-- (it closes then), `recorded` (when that action was noted). All times are epoch ms by Redis's clock. No hash: nothing is known.
-- It errs on the side of open, because a wrong "open" costs one refused call, and corrects itself by WeChat's answers.
--
-- One script may ask for the same window twice, at a delivery and for the turn of the next message, so it is read once. `false`: none.
local windowsRead = {}

local function readWindow(key)
  if windowsRead[key] == nil then
    local recorded, closesAt, limit, used, at = unpack(redis.call('HMGET', key, 'recorded', 'until', 'limit', 'used', 'at'))
    windowsRead[key] = recorded and closesAt and limit and {
      recorded = tonumber(recorded), closesAt = tonumber(closesAt), limit = tonumber(limit), used = tonumber(used or 0),
      at = tonumber(at),
    } or false
  end
  return windowsRead[key]
end

local function setUsed(key, window, used)
  redis.call('HSET', key, 'used', string.format('%.0f', used))
  window.used = used
end

local function forgetWindow(key)
  redis.call('DEL', key)
  windowsRead[key] = false
end

local function takesNothing(window, now)
  return window.closesAt <= now or window.used >= window.limit
end

-- countReply(key, calledAt): WeChat took a message whose call began at `calledAt`. An action that was recorded since has begun a count of
-- its own. Returns what the ledger had not expected, or nil.
local function countReply(key, calledAt)
  local window = readWindow(key)
  if not window or window.recorded > calledAt then return nil end
  if takesNothing(window, calledAt) then
    forgetWindow(key)
    return 'taken-though-closed'
  end
  setUsed(key, window, window.used + 1)
  return nil
end

-- WeChat's servers may learn of an action later than we do.
local NEWS_MS = 10000
local EARLY_TRIES = 3

-- refusedReply(key, calledAt, now, jobKey): WeChat refused a message because of its window. Returns after how many ms it is worth another
-- call, or nil, and then what the ledger had not expected, or nil.
local function refusedReply(key, calledAt, now, jobKey)
  local window = readWindow(key)
  if not window then return nil end
  -- The person acted while the call was open.
  if window.recorded > calledAt then return 1 end
  if takesNothing(window, calledAt) then return nil end
  if now - window.at < NEWS_MS then
    local tries = redis.call('HINCRBY', jobKey, 'early', 1)
    if tries <= EARLY_TRIES then
      -- What it has taken since counts for the window before the action.
      if window.used > 0 then setUsed(key, window, 0) end
      return 1000 * 2 ^ (tries - 1)
    end
  end
  setUsed(key, window, window.limit)
  return nil, 'refused-though-open'
end
