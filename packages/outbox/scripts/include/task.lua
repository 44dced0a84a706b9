-- How far a task is. Its letters that are left stand in a sorted set by acceptance, and in a second one by person; what is taken from
-- there and the count of what became of it change in the same step, so that they always agree. `tasks` is what stands before
-- a task's id in its keys.
local TASK_KEPT_MS = 7 * 86400000

-- An entry is a letter where it waits: among what is left of a task, or among the single replays that are due.
--   entry.task ('' for a single one), entry.acceptance, entry.touser ('' where there is none), entry.letter
--   at.due, at.dueOf, at.open (keys), at.tasks (prefix), at.now
local function lettersOf(entry, at)
  if entry.task == '' then return at.due, at.dueOf end
  return at.tasks .. entry.task .. ':letters', at.tasks .. entry.task .. ':letters:of'
end

local function isLeft(entry, at)
  local letters = lettersOf(entry, at)
  return redis.call('ZSCORE', letters, entry.acceptance)
end

-- An entry by person that is left over does no harm, and the one who takes it away must not fail half-way.
local function dropPlace(entry, at)
  local _, byPerson = lettersOf(entry, at)
  if entry.touser ~= '' then redis.pcall('ZREM', byPerson, entry.touser .. ':' .. entry.acceptance) end
end

-- Takes the letter from where it waits; its task counts it. `of`: 'done', 'skipped' or 'failed'.
local function finishLetter(entry, of, at)
  -- First, because Redis may refuse it where its memory is full, and never a removal.
  if entry.task ~= '' then redis.call('HINCRBY', at.tasks .. entry.task, of, 1) end
  local letters = lettersOf(entry, at)
  redis.call('ZREM', letters, entry.acceptance)
  dropPlace(entry, at)
end

-- What is answered for a step that Redis has refused. What another program has corrupted is refused tomorrow as well, and a task has to end.
local function refusedLetter(entry, why, at)
  if entry.task ~= '' and string.find(why, 'WRONGTYPE', 1, true) then finishLetter(entry, 'failed', at) end
  return { 'failed', why }
end

-- The task has nothing left to do: what it was is kept for a while.
local function endTask(id, status, at)
  local key = at.tasks .. id
  redis.call('HSET', key, 'status', status, 'endedAt', at.now)
  redis.call('HDEL', key, 'cursor', 'takingBack')
  redis.call('PEXPIRE', key, TASK_KEPT_MS)
  redis.call('ZREM', at.open, id)
  redis.call('UNLINK', key .. ':letters', key .. ':letters:of', key .. ':given', key .. ':rate')
end

-- Ends those of these tasks (a table by id) that have no letter left. Returns their ids.
local function endDone(touched, at)
  local ended = {}
  for id in pairs(touched) do
    local status, cursor = unpack(redis.call('HMGET', at.tasks .. id, 'status', 'cursor'))
    if status == 'running' and not cursor and redis.call('EXISTS', at.tasks .. id .. ':letters') == 0 then
      endTask(id, 'done', at)
      ended[#ended + 1] = id
    end
  end
  return ended
end
