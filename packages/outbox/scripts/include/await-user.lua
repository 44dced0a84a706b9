-- A message whose policy is `hold` waits for its user while WeChat is known to take nothing: among the delayed jobs, marked `user` where
-- a parked one is marked `1`, so that only the user's next action lets it go (`act`). It keeps its place in the lane, and what is
-- behind it waits there. No ledger is complete, so after six hours it becomes due by itself and is tried whatever is known:
-- then it is marked `try`.
--   at.jobs   prefix   at.delayed, at.events, at.expiring   keys   at.now   epoch ms
--   at.holdMaxMs   it is given up after waiting so long   at.holds   '1': `hold` is the policy of a message that has none of its own
--   at.hasWindows, at.windows   whether the app has reply windows, and their prefix
--- include window
--- include awaiting
local AWAIT_MS = 21600000

-- Whether a message that could be called now has to wait: `onClosed` and `parked` are its own.
local function mustAwait(onClosed, parked, touser, at)
  if not at.hasWindows or parked == 'user' or parked == 'try' then return false end
  if onClosed ~= 'hold' and not (not onClosed and at.holds == '1') then return false end
  local window = readWindow(at.windows .. touser)
  return window and takesNothing(window, at.now)
end

local function awaitUser(id, at)
  local jobKey, due = at.jobs .. id, at.now + AWAIT_MS
  redis.call('HSETNX', jobKey, 'awaitsSince', string.format('%.0f', at.now))
  -- What can fail comes first: the message still stands where it stood then.
  redis.call('ZADD', awaitingKey(at.jobs), at.now, id)
  -- One with an `expiresAt` is listed by that.
  redis.call('ZADD', at.expiring, 'NX', redis.call('HGET', jobKey, 'awaitsSince') + at.holdMaxMs, id)
  redis.call('ZADD', at.delayed, due * 0x1000, id)
  redis.call('HSET', jobKey, 'parked', 'user', 'delay', AWAIT_MS)
  redis.pcall('XADD', at.events, '*', 'event', 'delayed', 'jobId', id, 'delay', string.format('%.0f', due))
end
