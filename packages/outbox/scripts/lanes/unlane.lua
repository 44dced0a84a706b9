-- Takes a message off its lane and wakes the next one. Part of the MULTI that moves it to the dead letters, or cancels it.
--   KEYS[1] lane   KEYS[2] held lanes
--   ARGV[1] id   ARGV[2] prefix of job keys
-- Returns the id whose turn it is now, or false.
--- include wake
redis.call('LREM', KEYS[1], 1, ARGV[1])
return wake(KEYS[1], ARGV[2], KEYS[2])
