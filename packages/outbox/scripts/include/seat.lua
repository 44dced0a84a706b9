-- seat(fetched, at): gives a message its turn in the step that fetches it, so that its run need not ask. Messages that are not
-- first in their lanes are parked here, without any worker's hearing of them, and the next one is fetched. `fetched` is
-- what BullMQ's scripts return of a fetch, in an app that is not held. Returns that of the message which was fetched in
-- the end, and its tries made before; or false in place of the tries, and then the run asks for its turn itself: nothing
-- was fetched, an earlier run left its mark, the message must not be sent twice, or it cannot be read here.
--   at.wait, at.active, at.delayed, at.held            keys
--   at.prefix, at.lanes                                prefixes of the keys of jobs and lanes
--   at.token, at.parkMs, at.version                    lock token; how long to park; of job data that can be read
--   at.fetch                                           fetches the next
--- include clock
--- include behind
--- include mark

-- One call parks no more than this: Redis serves nobody else meanwhile.
local PARKED_MAX = 100

-- Where a message stands that waits or has been fetched: its lane, whether it is behind there, and whether it must not be
-- sent twice. Without a lane it is not for this script to judge.
local function placeOf(job, at)
  if not job.data or job.settled or job.defa or (job.sending and job.sending ~= '') then return nil end
  -- Producers write version and recipient first, so that these can be read without the rest, which may be long.
  local touser = string.match(job.data, '^{"v":' .. at.version .. ',"touser":"([^"\\]+)"')
  if not touser then return nil end
  local lane = at.lanes .. touser
  local behind = isBehind(job, lane, at.prefix, string.find(job.data, '"sendAt":', 1, true))
  return lane, behind, string.find(job.data, '"ifUnsure":"dead-letter"', 1, true)
end

local function park(id, lane, at)
  redis.call('HSET', at.prefix .. id, 'parked', '1', 'delay', at.parkMs)
  redis.call('ZADD', at.delayed, (at.now + at.parkMs) * 0x1000, id)
  redis.call('ZADD', at.held, 'NX', at.now, lane)
end

-- What came with a message that was behind is often behind it.
local function parkWaiting(at, room)
  for parked = 0, room - 1 do
    local id = redis.call('LINDEX', at.wait, -1)
    if not id then return parked end
    local data, settled, defa, sending, isParked, atm, stc =
      unpack(redis.call('HMGET', at.prefix .. id, 'data', 'settled', 'defa', 'sending', 'parked', 'atm', 'stc'))
    local job = {
      id = id, data = data, settled = settled, defa = defa, sending = sending, parked = isParked, atm = atm, stc = stc,
    }
    local lane, behind = placeOf(job, at)
    if not lane or not behind then return parked end
    redis.call('RPOP', at.wait)
    park(id, lane, at)
  end
  return room
end

local function seat(fetched, at)
  if type(fetched) ~= 'table' or type(fetched[1]) ~= 'table' then return fetched, false end
  at.now = nowMs()
  local room = PARKED_MAX
  while type(fetched[1]) == 'table' do
    local job, fields = { id = fetched[2] }, fetched[1]
    for n = 1, #fields, 2 do job[fields[n]] = fields[n + 1] end
    local lane, behind, once = placeOf(job, at)
    if not lane or (behind and room <= 0) then break end
    local jobKey = at.prefix .. job.id
    if not behind then
      -- Should the worker die before its call, nobody could know that there was none, and it would be a dead letter.
      if once then break end
      mark(jobKey, at.now, at.token, job.parked)
      return fetched, job.atm or '0'
    end
    redis.call('DEL', jobKey .. ':lock')
    redis.call('LREM', at.active, 1, job.id)
    park(job.id, lane, at)
    room = room - 1
    room = room - parkWaiting(at, room)
    fetched = at.fetch()
  end
  return fetched, false
end
