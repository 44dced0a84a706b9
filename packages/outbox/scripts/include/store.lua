-- store(message, at): BullMQ's add of a message, and its place in the lane. A scheduled message joins the lane when it becomes due:
-- until then it holds nobody up. The lane comes first: without it nothing is stored.
--   message.id, message.name, message.touser, message.data (JSON), message.acceptedAt, message.delayMs, message.expiresAt
--   at.add         the keys of BullMQ's addStandardJob, in its order
--   at.expiring    messages that expire, for the sweep, which finds those whose app is held
--   at.prefix, at.lanes    prefixes of the keys of jobs and lanes
--- bullmq addStandardJob
--- bullmq addDelayedJob
local PLAIN = cmsgpack.pack({})

local function store(message, at)
  local args = cmsgpack.pack({ at.prefix, message.id, message.name, message.acceptedAt })
  if message.delayMs == 0 then
    redis.call('RPUSH', at.lanes .. message.touser, message.id)
    addStandardJob(at.add, { args, message.data, PLAIN })
  else
    local _, _, meta, id, completed, delayed, _, events, marker = unpack(at.add)
    local opts = cmsgpack.pack({ delay = message.delayMs })
    addDelayedJob({ marker, meta, id, delayed, completed, events }, { args, message.data, opts })
  end
  if message.expiresAt then redis.call('ZADD', at.expiring, message.expiresAt, message.id) end
end
