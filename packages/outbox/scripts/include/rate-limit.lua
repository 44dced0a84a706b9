-- rateLimit(rateKey, perSecond, now, msMax): how many ms a call has to wait so that the app's calls keep to their rate, over all
-- workers. The key holds the time at which the next call is due if they came evenly. A tenth of a second's calls may come
-- at once; so no second, wherever it begins, has more than eleven tenths of the rate. Whoever can wait so long has its
-- place; whoever cannot leaves none behind, or calls that never come would go on pushing the others back.
local function rateLimit(rateKey, perSecond, now, msMax)
  local interval = 1000 / perSecond
  local due = math.max(tonumber(redis.call('GET', rateKey) or 0), now)
  local lead = interval * math.max(0, math.floor(perSecond / 10) - 1)
  local ms = math.ceil(math.max(0, due - lead - now))
  if ms <= msMax then
    redis.call('SET', rateKey, string.format('%.3f', due + interval), 'PX', math.ceil(due + interval - now) + 1000)
  end
  return ms
end
