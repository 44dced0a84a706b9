-- A person has done something: notes what WeChat takes from now on. The same action again, and one that happened before the latest,
-- never shorten the window and never begin its count anew. An action that is over by now changes nothing.
-- Whether it is the same one is told by what was reported, and not by the latest alone: WeChat writes times in whole seconds, so two
-- actions may share one and come again in any order, and a clock that is ahead of ours reports a time that is still to come.
-- In the same step the first of the person's lane goes, if it waits for its user, or to be tried again because WeChat may not have heard of
-- an action yet: so no action is missed.
--   KEYS[1] the person's window   KEYS[2] the app's mark that it has windows   KEYS[3] the person's lane
--   ARGV[1] action   ARGV[2] when it happened in epoch ms, or '' for now   ARGV[3] its id or ''   ARGV[4] messages that it allows
--   ARGV[5] for so many ms   ARGV[6] a window is remembered for so many ms after it has closed   ARGV[7] prefix of jobs
-- Returns 'noted', 'known' (repeated, or older than the latest) or 'over'
--- include wake
--- include awaiting
local now = nowMs()
local action, id = ARGV[1], ARGV[3]
local reportedAt = tonumber(ARGV[2]) or now
local at = math.min(reportedAt, now)
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

-- `id` holds, newest first, what was reported of all actions that come again as news otherwise: those of the latest moment, and those
-- reported for a later one. Each is `<time> <action> <id>` and a NUL. Older versions wrote the id alone.
local REMEMBERED = 20
local entry = text(reportedAt) .. ' ' .. action .. ' ' .. string.gsub(id, '%z', '') .. '\0'
if lastId and string.sub(lastId, -1) ~= '\0' then
  lastId = text(lastAt) .. ' ' .. lastAction .. ' ' .. lastId .. '\0'
end
local function rememberedWith(entries)
  local kept = { entry }
  for each in string.gmatch(entries, '[^%z]+%z') do
    if tonumber(string.match(each, '^%d+')) >= at and #kept < REMEMBERED then kept[#kept + 1] = each end
  end
  return table.concat(kept)
end
local isRepeated = lastId and string.find('\0' .. lastId, '\0' .. entry, 1, true)
local isNews = not lastAt or (at >= lastAt and not isRepeated)
if isNews then
  redis.call('HSET', KEYS[1], 'at', text(at), 'action', action, 'id', rememberedWith(lastId or ''), 'limit', text(limit), 'used', '0',
    'until', text(closesAt), 'recorded', text(now))
else
  redis.call('HSET', KEYS[1], 'limit', text(limit), 'until', text(closesAt))
end
local keepMs = closesAt - now + ARGV[6]
redis.call('PEXPIRE', KEYS[1], text(keepMs))
redis.call('SET', KEYS[2], '1', 'PX', text(math.max(keepMs, redis.call('PTTL', KEYS[2]))))
local turn, parked = first(KEYS[3], ARGV[7])
if turn and (parked == 'user' or parked == 'early') then
  redis.call('ZREM', awaitingKey(ARGV[7]), turn)
  promote(turn, ARGV[7])
end
return isNews and 'noted' or 'known'
