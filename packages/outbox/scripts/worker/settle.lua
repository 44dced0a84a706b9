-- WeChat has taken the message: off the lane, marked, and the next one woken. Right even after the lock was lost,
-- because it records what happened. Removes by id and never pops: the front may be somebody else by now.
--   KEYS[1] job   KEYS[2] lane   KEYS[3] held lanes   KEYS[4] faults in a row   KEYS[5] messages that expire
--   ARGV[1] id   ARGV[2] prefix of job keys   ARGV[3] what the job will return: the attempts of this run
--   ARGV[4] '1': it had an `expiresAt`
-- Returns the id whose turn it is now, or false.
--- include left
settled(KEYS[1], ARGV[3])
return left(ARGV[1], {
  lane = KEYS[2], prefix = ARGV[2], held = KEYS[3], faults = KEYS[4], expiring = ARGV[4] == '1' and KEYS[5],
})
