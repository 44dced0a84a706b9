-- Adds letters to what a task has to do, and notes how far the search for them is. Two workers may search at once: what is added twice
-- stands there once, and the cursor moves from where its caller has seen it.
--   KEYS[1] the task   KEYS[2] its letters   KEYS[3] its letters by person   KEYS[4] open tasks   KEYS[5] ids that were given
--   ARGV[1] id of the task   ARGV[2] prefix of tasks   ARGV[3] the cursor as it was   ARGV[4] the cursor as it is, or '' at the end
--   ARGV[5] at most so many letters, the first by acceptance; 0: all
--   ARGV[6..] two for each letter: its acceptance, and its recipient or ''
-- Returns 'selected', 'ended' (nothing was found), 'more', or 'changed' (another worker was faster, or the task has ended).
--- include clock
--- include task
local before, after, limit = ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('HGET', KEYS[1], 'cursor') ~= before then return 'changed' end
local at = { tasks = ARGV[2], open = KEYS[4], now = nowMs() }
for n = 6, #ARGV, 2 do
  redis.call('ZADD', KEYS[2], 0, ARGV[n])
  if ARGV[n + 1] ~= '' then redis.call('ZADD', KEYS[3], 0, ARGV[n + 1] .. ':' .. ARGV[n]) end
end
-- The last by acceptance go as others are found before them. Their entries by person are passed over where they are met.
if limit > 0 then redis.call('ZREMRANGEBYRANK', KEYS[2], limit, -1) end
redis.call('ZADD', KEYS[4], 'XX', at.now, ARGV[1])
if after ~= '' then
  redis.call('HSET', KEYS[1], 'cursor', after)
  return 'more'
end
redis.call('HDEL', KEYS[1], 'cursor')
redis.call('HSET', KEYS[1], 'total', redis.call('ZCARD', KEYS[2]))
redis.call('UNLINK', KEYS[5])
return #endDone({ [ARGV[1]] = true }, at) > 0 and 'ended' or 'selected'
