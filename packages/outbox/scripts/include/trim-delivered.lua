-- trimDelivered(completed, jobs, keep): delivered jobs are kept for a time and in a number; the rest goes, at most a thousand for
-- each of the two reasons. What is known of a message beside its idempotency key was noted when it was delivered, and stays.
-- Returns how many went.
--   keep.now (epoch ms)  keep.seconds  keep.count
--- include remove-job
local function trimDelivered(completed, jobs, keep)
  local old = redis.call('ZRANGEBYSCORE', completed, '-inf', keep.now - keep.seconds * 1000, 'LIMIT', 0, 1000)
  local over = redis.call('ZCARD', completed) - #old - tonumber(keep.count)
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', completed, #old, #old + math.min(over, 1000) - 1)) do old[#old + 1] = id end
  end
  for _, id in ipairs(old) do removeJob(jobs .. id) end
  if #old > 0 then redis.call('ZREM', completed, unpack(old)) end
  return #old
end
