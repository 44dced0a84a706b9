-- nowMs(): the time by Redis's clock, in epoch milliseconds, so that clocks of several hosts are never compared; and the microseconds
-- of that millisecond.
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[2] % 1000
end
