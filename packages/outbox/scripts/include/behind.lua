-- isBehind(job, lane, jobPrefix, joinsLate): whether another message to the same person goes first. `job` is its id and what its
-- hash says: `parked`, `atm` (tries made), `stc` (times taken over). `joinsLate`: it joins its lane when it becomes due.
--- include first

-- Made here, as ids.ts makes them: whoever enqueued it has put it into its lane. Others were added by other means.
local function isGenerated(id)
  local random = '^m%-' .. string.rep('%w', 20)
  if string.find(id, random .. '$') then return true end
  if string.find(id, random .. 'p%d%d?$') then return true end
  return #id <= 35 and (string.find(id, random .. '%-%d+$') or string.find(id, random .. 'p%d%d?%-%d+$'))
end

-- The parts of a text that become due together join in their order, whichever of them is fetched first.
local function join(id, lane, jobPrefix)
  local _, _, whole, number = string.find(id, '^(m%-%w+)p(%d+)$')
  for n = 1, (tonumber(number) or 1) - 1 do
    local part = n == 1 and whole or whole .. 'p' .. n
    local exists, settled = unpack(redis.call('HMGET', jobPrefix .. part, 'timestamp', 'settled'))
    if exists and not settled and not redis.call('LPOS', lane, part) then redis.call('RPUSH', lane, part) end
  end
  redis.call('RPUSH', lane, id)
end

local function isBehind(job, lane, jobPrefix, joinsLate)
  -- At the front it need not be looked at again: it is there, and open.
  local turn = redis.call('LINDEX', lane, '0')
  if turn == job.id then return false end
  turn = turn and first(lane, jobPrefix)
  if turn == job.id then return false end
  -- Absence proves nothing: a scheduled message has not joined yet, and a lane may have been deleted by hand. But looking
  -- costs as much as the lane is long, so a message is looked for only where it may be absent: when it joins late or was
  -- not made here, when it was parked and comes by itself, and when it was first once, having been tried or taken over.
  local absent = not turn
  if turn == nil or turn and (job.parked or job.atm or job.stc or joinsLate or not isGenerated(job.id)) then
    absent = not redis.call('LPOS', lane, job.id)
  end
  if absent then
    join(job.id, lane, jobPrefix)
    turn = first(lane, jobPrefix)
  end
  return turn ~= job.id
end
