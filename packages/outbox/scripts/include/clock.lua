-- nowMs(): the time by Redis's clock, in epoch milliseconds, so that clocks of several hosts are never compared.
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
