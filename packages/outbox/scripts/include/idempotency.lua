-- What becomes of a message is noted beside its idempotency key, because a repeat gets it as its answer as long as the key lives, and the
-- job may be gone by then. A job, and then its dead letter, names its record in the field `idem`.

-- The record of a message, if it has one and the record is still its own: one that another program has corrupted is nobody's.
local function recordOf(prefix, digest, id)
  if not digest then return nil end
  local record = prefix .. digest
  return redis.pcall('HGET', record, 'id') == id and record or nil
end

local function noteEnding(prefix, digest, id, status)
  local record = recordOf(prefix, digest, id)
  if record then redis.call('HSET', record, 'status', status) end
  return record
end

-- rememberEnding(ended, message): keeps the last word on a message whose job is gone, at least as long as its key leads to it.
--   message.id, message.idem, message.status    ended.key, ended.report (JSON), ended.ms, ended.records (prefix)
local function rememberEnding(ended, message)
  local record = noteEnding(ended.records, message.idem, message.id, message.status)
  local ms = tonumber(ended.ms)
  if record then ms = math.max(ms, redis.call('PTTL', record)) end
  if ms > 0 then redis.call('SET', ended.key, ended.report, 'PX', string.format('%.0f', ms)) end
end
