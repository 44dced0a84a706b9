-- Fetching messages for runs that have a place, each with its turn where that can be judged here.
--
-- A turn is the mark that a call may be open, so it comes with the fetch only where the call can follow at once (`at.grants`: the
-- worker has a token, nothing holds the app, no rate paces it). It never comes for a message that an earlier run has
-- marked, that must not be sent twice (a worker that died before its call would make it a dead letter), or that cannot be
-- read here: the run of such a message asks for its turn by itself (`admit`).
--   at.jobs, at.lanes                                        prefixes
--   at.wait, at.active, at.delayed, at.events, at.parkedLanes   keys
--   at.now, at.lockMs, at.version, at.grants, and what `await-user` takes
--- include behind
--- include mark
--- include park
--- include await-user

-- A message that does not get its turn leaves `active` last: where it cannot be parked, the look for stalled jobs finds it there.

-- One fetch parks no more than this: Redis serves nobody else meanwhile.
local PARKED_MAX = 100

-- What a run has to know of a job, and what is judged here, in the order in which it is read. `BULLMQ_ONLY` are the fields
-- of jobs that only BullMQ's own methods can complete; such jobs were added by other means.
local FIELDS = {
  'name', 'data', 'opts', 'timestamp', 'atm', 'ats', 'stc', 'stacktrace', 'parked', 'sending', 'settled', 'parentKey', 'deid',
  'rjk', 'onClosed',
}

local function readJob(id, at)
  local values = redis.call('HMGET', at.jobs .. id, unpack(FIELDS))
  local job = { id = id, values = values }
  for n, field in ipairs(FIELDS) do job[field] = values[n] end
  return job
end

-- Producers write version and recipient first, so that these can be read without the rest, which may be long.
local function laneOf(job, at)
  local v, touser = string.match(job.data or '', '^{"v":(%d+),"touser":"([^"\\]+)"')
  if not touser or tonumber(v) > at.version then return nil end
  return at.lanes .. touser, touser
end

local function isSentOnce(job)
  return string.find(job.data, '"ifUnsure":"dead-letter"', 1, true)
end

-- Locks the job for a run and returns its fields, with the tries that were made before or '' where the run has to ask for its turn.
local function begin(job, token, at)
  local jobKey = at.jobs .. job.id
  local grants = at.grants and job.lane and not job.settled and (not job.sending or job.sending == '') and not isSentOnce(job)
  redis.call('SET', jobKey .. ':lock', token, 'PX', at.lockMs)
  -- Numbers are written as text: Redis prints a number with all its digits, which costs more than the command.
  local fetches = job.ats and string.format('%.0f', (tonumber(job.ats) or 0) + 1) or '1'
  local changed = { 'processedOn', at.nowText, 'ats', fetches }
  if job.parked == '1' or job.parked == 'early' then
    changed[5], changed[6] = 'parked', '0'
  elseif job.parked == 'user' then
    -- Nobody has let it go, so its own time has come.
    changed[5], changed[6] = 'parked', 'try'
    redis.call('ZREM', awaitingKey(at.jobs), job.id)
  end
  if grants then
    changed[#changed + 1] = 'sending'
    changed[#changed + 1] = at.nowText .. ' ' .. token
  end
  redis.call('HSET', jobKey, unpack(changed))
  redis.pcall('XADD', at.events, '*', 'event', 'active', 'jobId', job.id, 'prev', 'waiting')
  return { job.id, grants and (job.atm or '0') or '', unpack(job.values, 1, #FIELDS) }
end

-- fetch(token, first, at): the next message for the run that holds `token`, or nil. `first`: a message that has just become the first of
-- its lane, and stands in `active` already. Where it fails, `at.taken` is the message whose own keys are at fault, or false where
-- none was handed out.
local function fetch(token, successor, at)
  at.taken = successor
  if successor then
    local job = readJob(successor, at)
    job.lane, job.touser = laneOf(job, at)
    if not (job.lane and mustAwait(job.onClosed, job.parked, job.touser, at)) then return begin(job, token, at) end
    awaitUser(successor, at)
    redis.call('LREM', at.active, '1', successor)
  end
  for _ = 1, PARKED_MAX do
    at.taken = false
    at.taken = redis.call('RPOPLPUSH', at.wait, at.active)
    local id = at.taken
    if not id then return nil end
    local job = readJob(id, at)
    job.lane, job.touser = laneOf(job, at)
    local isFree = not job.settled and (not job.sending or job.sending == '')
    if not job.name then
      -- The job was deleted by hand, and its id was left; a worker that died with it has left a count of that.
      redis.call('LREM', at.active, '1', id)
      redis.call('DEL', at.jobs .. id)
    elseif job.settled == 'superseded' then
      redis.call('LREM', at.active, '1', id)
    elseif job.lane and isFree and isBehind(job, job.lane, at.jobs, string.find(job.data, '"sendAt":', 1, true)) then
      at.lane = job.lane
      park(id, at)
      redis.call('LREM', at.active, '1', id)
    elseif job.lane and isFree and mustAwait(job.onClosed, job.parked, job.touser, at) then
      awaitUser(id, at)
      redis.call('LREM', at.active, '1', id)
    else
      return begin(job, token, at)
    end
  end
  return nil
end
