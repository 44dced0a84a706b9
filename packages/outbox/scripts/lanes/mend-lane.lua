-- Does a lane agree with the queue? Judged in one step, and mended in the same one where that is asked for.
--   KEYS[1] lane   KEYS[2] parked lanes
--   ARGV[1] prefix of job keys   ARGV[2] '1': mend   ARGV[3] ids judged at most, from the front
--   ARGV[4..] ids of the same person's messages, oldest first, that may be missing from the lane
-- Returns {ghosts, duplicates, missing, {id of a first that is parked} or {}}, as it was before mending. A ghost is an id
-- whose message is gone or over. Mended, ghosts and duplicates are dropped, missing ones stand at the end, and the first
-- is woken if it is parked.
--- include wake
local lane, prefix = KEYS[1], ARGV[1]
local function isOver(id)
  local job = redis.call('HMGET', prefix .. id, 'name', 'settled')
  -- A job that another program has completed bears no mark of ours, and would be first for ever.
  return not job[1] or job[2] or redis.call('ZSCORE', prefix .. 'completed', id)
end
local ghosts, duplicates, missing, kept, seen = {}, {}, {}, {}, {}
local ids = redis.call('LRANGE', lane, 0, ARGV[3] - 1)
for _, id in ipairs(ids) do
  if isOver(id) then
    if not seen[id] then ghosts[#ghosts + 1] = id end
  elseif seen[id] then
    if seen[id] == 1 then duplicates[#duplicates + 1] = id end
    seen[id] = 2
  else
    kept[#kept + 1] = id
  end
  seen[id] = seen[id] or 1
end
for i = 4, #ARGV do
  local id = ARGV[i]
  -- What waits for its `sendAt` joins when it is fetched; it has joined once it is parked.
  if not isOver(id) and not redis.call('ZSCORE', prefix .. 'failed', id) and not redis.call('LPOS', lane, id) then
    local job = redis.call('HMGET', prefix .. id, 'data', 'parked')
    if job[2] or not cjson.decode(job[1]).sendAt then missing[#missing + 1] = id end
  end
end
local parked = {}
local turn = kept[1] or missing[1]
if turn and redis.call('HGET', prefix .. turn, 'parked') == '1' and redis.call('ZSCORE', prefix .. 'delayed', turn) then
  parked[1] = turn
end
if ARGV[2] == '1' then
  if #kept < #ids then
    redis.call('LTRIM', lane, #ids, -1)
    for i = #kept, 1, -1 do redis.call('LPUSH', lane, kept[i]) end
  end
  for _, id in ipairs(missing) do redis.call('RPUSH', lane, id) end
  wake(lane, prefix, KEYS[2])
end
return { ghosts, duplicates, missing, parked }
