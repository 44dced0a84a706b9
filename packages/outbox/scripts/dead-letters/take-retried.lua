-- Dead letters that somebody has retried stand in `wait` in the order in which they were asked for. They go from there to the replays
-- that are due, which are sorted by acceptance. A letter that has left `wait` meanwhile is passed over.
--   KEYS[1] wait of the queue of dead letters   KEYS[2] replays that are due   KEYS[3] the same by person
--   ARGV[1..] three for each: its id, its acceptance, which ends with the id, and its recipient or ''. From the end of `wait` on
-- Returns how many are left in `wait`.
for n = 1, #ARGV, 3 do
  -- First where it goes, because that can fail.
  if redis.call('LPOS', KEYS[1], ARGV[n], 'RANK', -1) then
    if ARGV[n + 2] ~= '' then redis.call('ZADD', KEYS[3], 0, ARGV[n + 2] .. ':' .. ARGV[n + 1]) end
    redis.call('ZADD', KEYS[2], 0, ARGV[n + 1])
    redis.call('LREM', KEYS[1], -1, ARGV[n])
  end
end
return redis.call('LLEN', KEYS[1])
