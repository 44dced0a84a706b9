-- The mark that a call may be open: when it was set, in epoch ms, and the lock token of the run that it was set for.

-- mark(jobKey, now, token, wasParked): the message has its turn, and is parked no more.
local function mark(jobKey, now, token, wasParked)
  if wasParked then redis.call('HDEL', jobKey, 'parked') end
  redis.call('HSET', jobKey, 'sending', now .. ' ' .. token)
end

-- Returns both; nothing where there is no mark.
local function readMark(sending)
  return string.match(sending or '', '^(%d+) ?(.*)$')
end
