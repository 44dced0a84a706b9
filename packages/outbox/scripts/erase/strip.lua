-- Puts in the place of jobs' data what is left of it without its content; each only if the data is what its caller has read.
--   KEYS[1] dead letters whose content was removed
--   ARGV[1] prefix of jobs   ARGV[2] '1' for dead letters, '' for messages
--   ARGV[3..] four for each: its id, its data as it was read, the data that takes its place, and its time of death or ''
-- Returns how many were changed.
local jobs, areLetters = ARGV[1], ARGV[2] == '1'
local changed = 0
for n = 3, #ARGV, 4 do
  local id, before, after, deadAt = unpack(ARGV, n, n + 3)
  if redis.call('HGET', jobs .. id, 'data') == before then
    redis.call('HSET', jobs .. id, 'data', after)
    if areLetters then redis.call('ZADD', KEYS[1], deadAt, id) end
    changed = changed + 1
  end
end
return changed
