-- The time by Redis's clock, so that clocks of several hosts are never compared.
--   nowMs()          epoch milliseconds
--   nowAndMicros()   the same, and the microseconds of that millisecond
local function nowAndMicros()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000), time[2] % 1000
end

local function nowMs()
  local now = nowAndMicros()
  return now
end
