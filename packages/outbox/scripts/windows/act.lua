-- A person has done something: notes what WeChat takes from now on. The same action again, and one that happened before the latest,
-- never shorten the window and never begin its count anew. An action that is over by now changes nothing.
-- In the same step the first of the person's lane goes, if it waits for its user: so no action is missed.
--   KEYS[1] the person's window   KEYS[2] the app's mark that it has windows   KEYS[3] the person's lane
--   ARGV[1] action   ARGV[2] when it happened in epoch ms, or '' for now   ARGV[3] its id or ''   ARGV[4] messages that it allows
--   ARGV[5] for so many ms   ARGV[6] a window is remembered for so many ms after it has closed   ARGV[7] prefix of jobs
-- Returns 'noted', 'known' (repeated, or older than the latest) or 'over'
--- include wake
--- include awaiting
local now = nowMs()
local action, id = ARGV[1], ARGV[3]
local at = math.min(tonumber(ARGV[2]) or now, now)
local limit, closesAt = tonumber(ARGV[4]), at + ARGV[5]
if closesAt <= now then return 'over' end

local lastAt, lastAction, lastId, lastLimit, lastClosesAt =
  unpack(redis.call('HMGET', KEYS[1], 'at', 'action', 'id', 'limit', 'until'))
lastAt, lastClosesAt = tonumber(lastAt), tonumber(lastClosesAt)
-- Windows do not add up, and none makes another smaller.
if lastClosesAt and lastClosesAt > now then
  limit, closesAt = math.max(limit, tonumber(lastLimit)), math.max(closesAt, lastClosesAt)
end
local text = function(number) return string.format('%.0f', number) end
local isNews = not lastAt or at > lastAt or (at == lastAt and (id ~= lastId or action ~= lastAction))
if isNews then
  redis.call('HSET', KEYS[1], 'at', text(at), 'action', action, 'id', id, 'limit', text(limit), 'used', '0', 'until', text(closesAt),
    'recorded', text(now))
else
  redis.call('HSET', KEYS[1], 'limit', text(limit), 'until', text(closesAt))
end
local keepMs = closesAt - now + ARGV[6]
redis.call('PEXPIRE', KEYS[1], text(keepMs))
redis.call('SET', KEYS[2], '1', 'PX', text(math.max(keepMs, redis.call('PTTL', KEYS[2]))))
local turn, parked = first(KEYS[3], ARGV[7])
if turn and parked == 'user' then
  redis.call('ZREM', awaitingKey(ARGV[7]), turn)
  promote(turn, ARGV[7])
end
return isNews and 'noted' or 'known'
