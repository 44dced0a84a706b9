-- Looks after lanes with parked messages that have not moved for a while: the one whose turn it is may be parked with
-- nobody left to wake it, because the one before it was removed by hand. Each lane by itself: one that another program has
-- spoilt is passed over until the next look, and holds up no other.
--   KEYS[1] parked lanes
--   ARGV[1] prefix of job keys   ARGV[2] not moved for so many ms   ARGV[3] lanes at most
--   ARGV[4..] lanes that were empty at an earlier call, whose messages have been recalled since
-- Returns {lanes looked at, '1' if one of them has more ids at its front to drop, {lanes that are empty …}, {what is first in a
-- lane that could not be read, or '', and why …}}. An empty lane that never moved to its end was deleted under its messages: it
-- is noted until these have been recalled.
--- include wake
--- include awaiting
--- include why-failed
local parkedLanes, jobs, now = KEYS[1], ARGV[1], nowMs()
for n = 4, #ARGV do
  if redis.call('EXISTS', ARGV[n]) == 0 then redis.call('ZREM', parkedLanes, ARGV[n]) end
end
local looked, hasMore, empty, spoilt = 0, '', {}, {}
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', parkedLanes, '-inf', now - ARGV[2], 'LIMIT', 0, ARGV[3])) do
  looked = looked + 1
  if redis.call('EXISTS', lane) == 0 then
    redis.call('ZADD', parkedLanes, 'XX', now, lane)
    empty[#empty + 1] = lane
  else
    local isDone, turn = pcall(wake, lane, jobs, parkedLanes)
    if not isDone then
      local why = whyFailed(turn)
      if isReadOnly(why) then return redis.error_reply(why) end
      local id = redis.pcall('LINDEX', lane, 0)
      spoilt[#spoilt + 1] = type(id) == 'string' and id or ''
      spoilt[#spoilt + 1] = why
      redis.call('ZADD', parkedLanes, 'XX', now, lane)
    elseif turn == nil then
      hasMore = '1'
    end
  end
end
-- Nor does what was removed by hand wait for its user. What has waited longest is looked at: the rest becomes that in time.
local awaiting = awaitingKey(jobs)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', awaiting, '-inf', '+inf', 'LIMIT', 0, ARGV[3])) do
  local parked = redis.pcall('HGET', jobs .. id, 'parked')
  if type(parked) ~= 'table' and parked ~= 'user' then redis.call('ZREM', awaiting, id) end
end
return { looked, hasMore, empty, spoilt }
